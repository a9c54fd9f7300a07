using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Engram.Tables.Training;

/// <summary>
/// Makes a table that is trained in place return to its last checkpoint after the process has died. Before a row is changed for the first time since the checkpoint, what it was, table row and state, is
/// appended to a file; <see cref="Undo"/> puts it back. Nothing is ever copied whole.
/// <para>
/// It guards against the death of a process, whose writes the system completes; not against that of the machine, for which nothing here waits for the device.
/// </para>
/// File, little-endian: 40 bytes of header (<c>ENGRUND</c> and a zero byte; version 1, bytes of a table row, bytes of a row's state, 0, as I32; rows R I64; CRC-32C of the 32 bytes before, I32; 0, I32), then
/// records: row number I64, table row, its state array by array, CRC-32C of those I32. The last record may be cut short: its row had not been changed.
/// </summary>
public sealed unsafe class UndoJournal : IDisposable
{
    private const int HeaderBytes = 40;
    private const int ChecksumAt = 32;
    private const int BufferBytes = 1 << 20;
    private const int Version = 1;

    private readonly EngramTable _table;
    private readonly RowState _state;
    private readonly NativeBuffer<ulong> _changed;
    private readonly byte[] _buffer;
    private readonly int _recordBytes;
    private FileStream? _file;
    private long _length;

    internal UndoJournal(EngramTable table, RowState state)
    {
        (_table, _state) = (table, state);
        _changed = new NativeBuffer<ulong>((table.Rows + 63) / 64);
        _recordBytes = checked(sizeof(long) + table.Width * sizeof(float) + state.RowBytes + sizeof(uint));
        _buffer = new byte[Math.Max(1, BufferBytes / _recordBytes) * _recordBytes];
    }

    /// <summary>Starts the journal of a checkpoint: rows count as unchanged from here on. Until a first journal is begun nothing is recorded.</summary>
    /// <param name="path">The file; one of that name is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Begin(string path)
    {
        _file?.Dispose();
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        _changed.Clear();
        _length = 0;
        Append(Header());
    }

    /// <summary>Rows that have been changed since the journal was begun, ascending; without a journal since this object was made.</summary>
    public IEnumerable<long> ChangedRows()
    {
        for (var word = 0L; word < _changed.Length; word++)
            for (var bits = _changed.Slice(word, 1)[0]; bits != 0; bits &= bits - 1)
                yield return 64 * word + BitOperations.TrailingZeroCount(bits);
    }

    /// <summary>The first changed row that holds a value that is not finite, or null.</summary>
    public long? FirstChangedRowNotFinite()
    {
        foreach (var row in ChangedRows())
            if (!TensorPrimitives.IsFiniteAll<float>(_table.Row(row)))
                return row;
        return null;
    }

    /// <summary>Keeps what rows are, before they are changed.</summary>
    /// <param name="rows">Each at most once; −1 is passed over.</param>
    /// <exception cref="IOException">The device is full. No row counts as recorded, and none may be changed.</exception>
    internal void Record(ReadOnlySpan<long> rows)
    {
        _state.Prefetch(rows);
        var used = 0;
        foreach (var row in rows)
        {
            if (row < 0 || HasChanged(row)) continue;
            _table.Reserve(row);
            _state.Reserve(row);
            if (_file is null) continue;
            WriteRecord(row, _buffer.AsSpan(used, _recordBytes));
            used += _recordBytes;
            if (used < _buffer.Length) continue;
            Append(_buffer);
            used = 0;
        }
        if (used > 0)
            Append(_buffer.AsSpan(0, used));
        foreach (var row in rows)
            if (row >= 0)
                _changed.Pointer[row / 64] |= 1UL << (int)(row % 64);
    }

    /// <summary>Puts back what a journal of this table holds. A second time changes nothing more.</summary>
    /// <param name="path">A file that <see cref="Begin"/> made. Journals of several checkpoints are undone from the last to the one that is returned to.</param>
    /// <returns>Rows put back.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another table; nothing has been changed.</exception>
    public long Undo(string path)
    {
        _ = Read(path, apply: false);
        return Read(path, apply: true);
    }

    /// <summary>Writes the journal to the device and waits for it.</summary>
    public void Flush() => _file?.Flush(flushToDisk: true);

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _changed.Dispose();
    }

    private bool HasChanged(long row) => (_changed.Pointer[row / 64] & 1UL << (int)(row % 64)) != 0;

    private void WriteRecord(long row, Span<byte> record)
    {
        MemoryMarshal.Write(record, row);
        var values = TableRow(row);
        var end = record.Length - sizeof(uint);
        values.CopyTo(record[sizeof(long)..]);
        _state.CopyOut(row, record[(sizeof(long) + values.Length)..end]);
        MemoryMarshal.Write(record[end..], Checksum(record[..end]));
    }

    private Span<byte> TableRow(long row) => MemoryMarshal.AsBytes(_table.Row(row));

    private void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file!.Write(bytes);
            _length += bytes.Length;
        }
        catch (IOException e)
        {
            CutBack();
            throw new IOException($"{_file!.Name}: what the rows were cannot be kept, so they are not changed; the last checkpoint is intact. {e.Message}", e);
        }
    }

    /// <summary>A record cut short must stay the last one: it goes, or nothing follows it.</summary>
    private void CutBack()
    {
        try
        {
            _file!.SetLength(_length);
        }
        catch (IOException)
        {
            _file!.Dispose();
        }
    }

    private byte[] Header()
    {
        var header = new byte[HeaderBytes];
        "ENGRUND\0"u8.CopyTo(header);
        ReadOnlySpan<int> numbers = [Version, _table.Width * sizeof(float), _state.RowBytes, 0];
        MemoryMarshal.AsBytes(numbers).CopyTo(header.AsSpan(8));
        MemoryMarshal.Write(header.AsSpan(24), _table.Rows);
        MemoryMarshal.Write(header.AsSpan(ChecksumAt), Checksum(header.AsSpan(0, ChecksumAt)));
        return header;
    }

    private long Read(string path, bool apply)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var header = new byte[HeaderBytes];
        if (file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes)
            return 0;   // the process died while it made the file
        if (!header.AsSpan().SequenceEqual(Header()))
            throw new InvalidDataException($"{path}: not a journal of this table, which has {_table.Rows} rows of {_table.Width} values and {_state.RowBytes} bytes of state; or it is damaged.");
        for (var records = 0L; ;)
        {
            var read = file.ReadAtLeast(_buffer, _buffer.Length, throwOnEndOfStream: false);
            for (var at = 0; at + _recordBytes <= read; at += _recordBytes, records++)
            {
                var record = _buffer.AsSpan(at, _recordBytes);
                var row = MemoryMarshal.Read<long>(record);
                if (Checksum(record[..^sizeof(uint)]) != MemoryMarshal.Read<uint>(record[^sizeof(uint)..]) || row < 0 || row >= _table.Rows)
                    throw new InvalidDataException($"{path}: record {records} is damaged; the table cannot be returned to its checkpoint.");
                if (apply)
                    PutBack(row, record[sizeof(long)..^sizeof(uint)]);
            }
            if (read < _buffer.Length)
                return records;
        }
    }

    private void PutBack(long row, ReadOnlySpan<byte> bytes)
    {
        _table.Reserve(row);
        _state.Reserve(row);
        var values = TableRow(row);
        bytes[..values.Length].CopyTo(values);
        _state.CopyIn(row, bytes[values.Length..]);
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            crc = BitOperations.Crc32C(crc, word);
        foreach (var rest in bytes[(words.Length * sizeof(ulong))..])
            crc = BitOperations.Crc32C(crc, rest);
        return ~crc;
    }
}
