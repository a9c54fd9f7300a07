using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Engram.Storage;

namespace Engram.Tables.Training;

/// <summary>
/// Makes a table that is trained in place return to its last checkpoint after the process or the machine has died. Before a row is changed
/// for the first time since the checkpoint, what it was, table row and state, is appended to a file and on the device; <see cref="Undo"/>
/// puts it back. Nothing is ever copied whole. The checkpoint itself must be on the device: <see cref="RowOptimizer.Flush"/> comes before
/// <see cref="Begin"/>.
/// <para>
/// File, little-endian: 40 bytes of header (<c>ENGRUND</c> and a zero byte; version 2, bytes of a table row, bytes of a row's state, 0, as
/// I32; rows R I64; CRC-32C of the 32 bytes before, I32; 0, I32), then records: row number I64; number of the first record of the same
/// append I64; table row, its state array by array, CRC-32C of all that I32. An append is on the device before the next one starts, so only
/// the last may be there in part: the rows of its missing records had not been changed.
/// </para>
/// </summary>
public sealed unsafe class UndoJournal : IDisposable
{
    private const int HeaderBytes = 40;
    private const int ChecksumAt = 32;
    private const int BufferBytes = 1 << 20;
    private const int Version = 2;
    private const int ValuesAt = 2 * sizeof(long);

    private readonly EngramTable _table;
    private readonly RowState _state;
    private readonly NativeBuffer<ulong> _changed;
    private readonly byte[] _buffer;
    private readonly int _recordBytes;
    private FileStream? _file;
    private long _records;

    internal UndoJournal(EngramTable table, RowState state)
    {
        (_table, _state) = (table, state);
        _changed = new NativeBuffer<ulong>((table.Rows + 63) / 64);
        _recordBytes = checked(ValuesAt + table.Width * sizeof(float) + state.RowBytes + sizeof(uint));
        _buffer = new byte[Math.Max(1, BufferBytes / _recordBytes) * _recordBytes];
    }

    /// <summary>
    /// Starts the journal of a checkpoint: rows count as unchanged from here on. Until a first journal is begun nothing is recorded.
    /// </summary>
    /// <param name="path">The file; one of that name is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Begin(string path)
    {
        _file?.Dispose();
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        _changed.Clear();
        _records = 0;
        Write(Header(), last: true);
        DurableFolder.Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
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

    /// <summary>
    /// Keeps what rows are, before they are changed: waits until the device has it, because it may take changed pages of the table at any
    /// time.
    /// </summary>
    /// <param name="rows">Each at most once; −1 is passed over.</param>
    /// <exception cref="IOException">The device is full. No row counts as recorded, and none may be changed.</exception>
    internal void Record(ReadOnlySpan<long> rows)
    {
        _state.Prefetch(rows);
        var (first, written, used) = (_records, _records, 0);
        foreach (var row in rows)
        {
            if (row < 0 || HasChanged(row))
                continue;
            _table.Reserve(row);
            _state.Reserve(row);
            if (_file is null)
                continue;
            WriteRecord(row, first, _buffer.AsSpan(used, _recordBytes));
            written++;
            used += _recordBytes;
            if (used < _buffer.Length)
                continue;
            Write(_buffer, last: false);
            used = 0;
        }
        if (written > first)
            Write(_buffer.AsSpan(0, used), last: true);
        _records = written;
        foreach (var row in rows)
            if (row >= 0)
                _changed.Pointer[row / 64] |= 1UL << (int)(row % 64);
    }

    /// <summary>
    /// Puts back what a journal of this table holds, and waits until table and state are on the device: then the file may be deleted. A
    /// second time changes nothing more.
    /// </summary>
    /// <param name="path">
    /// A file that <see cref="Begin"/> made. Journals of several checkpoints are undone from the last to the one that is returned to.
    /// </param>
    /// <returns>Rows put back.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another table; nothing has been changed.</exception>
    public long Undo(string path)
    {
        Check(path);
        var putBack = 0L;
        Read(
            path,
            (_, record) =>
            {
                if (!IsWhole(record))
                    return;
                PutBack(MemoryMarshal.Read<long>(record), record[ValuesAt..^sizeof(uint)]);
                putBack++;
            }
        );
        _table.Flush();
        _state.Flush();
        return putBack;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _changed.Dispose();
    }

    private bool HasChanged(long row) => (_changed.Pointer[row / 64] & 1UL << (int)(row % 64)) != 0;

    private void WriteRecord(long row, long first, Span<byte> record)
    {
        MemoryMarshal.Write(record, row);
        MemoryMarshal.Write(record[sizeof(long)..], first);
        var values = TableRow(row);
        var end = record.Length - sizeof(uint);
        values.CopyTo(record[ValuesAt..]);
        _state.CopyOut(row, record[(ValuesAt + values.Length)..end]);
        MemoryMarshal.Write(record[end..], Checksum(record[..end]));
    }

    private Span<byte> TableRow(long row) => MemoryMarshal.AsBytes(_table.Row(row));

    /// <summary>
    /// Writes records behind those of earlier appends; with <paramref name="last"/> the append ends and is on the device.
    /// </summary>
    private void Write(ReadOnlySpan<byte> records, bool last)
    {
        try
        {
            _file!.Write(records);
            if (last)
                _file.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            CutBack();
            throw new IOException(
                $"{_file!.Name}: what the rows were cannot be kept, so they are not changed; the last checkpoint is intact. {e.Message}",
                e
            );
        }
    }

    /// <summary>An append that failed goes as a whole, or nothing follows it: only the last one may be there in part.</summary>
    private void CutBack()
    {
        try
        {
            _file!.SetLength(HeaderBytes + _records * _recordBytes);
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

    private delegate void RecordReader(long number, ReadOnlySpan<byte> record);

    /// <summary>Makes sure that nothing is missing but records of the last append.</summary>
    private void Check(string path)
    {
        var (lastAppend, missing) = (0L, long.MaxValue);
        Read(
            path,
            (number, record) =>
            {
                if (!IsWhole(record))
                    missing = Math.Min(missing, number);
                else if (
                    MemoryMarshal.Read<long>(record[sizeof(long)..]) is var first
                    && first >= 0
                    && first <= number
                    && (ulong)MemoryMarshal.Read<long>(record) < (ulong)_table.Rows
                )
                    lastAppend = Math.Max(lastAppend, first);
                else
                    throw Damaged(path, number);
            }
        );
        if (missing < lastAppend)
            throw Damaged(path, missing);
    }

    private void Read(string path, RecordReader reader)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (file.Length < HeaderBytes)
            return; // the process died while it made the file
        var header = new byte[HeaderBytes];
        file.ReadExactly(header);
        if (!header.AsSpan().SequenceEqual(Header()))
        {
            // The header is on the device before there is a record, so without one it may be that of a machine that died while it made the
            // file.
            if (file.Length == HeaderBytes && Checksum(header.AsSpan(0, ChecksumAt)) != MemoryMarshal.Read<uint>(header.AsSpan(ChecksumAt)))
                return;
            throw new InvalidDataException(
                $"{path}: not a journal of this table, which has {_table.Rows} rows of {_table.Width} values and {_state.RowBytes} bytes "
                    + "of state; or it is damaged."
            );
        }
        for (var number = 0L; ; )
        {
            var read = file.ReadAtLeast(_buffer, _buffer.Length, throwOnEndOfStream: false);
            for (var at = 0; at + _recordBytes <= read; at += _recordBytes, number++)
                reader(number, _buffer.AsSpan(at, _recordBytes));
            if (read < _buffer.Length)
                return;
        }
    }

    private static bool IsWhole(ReadOnlySpan<byte> record) =>
        Checksum(record[..^sizeof(uint)]) == MemoryMarshal.Read<uint>(record[^sizeof(uint)..]);

    private static InvalidDataException Damaged(string path, long record) =>
        new($"{path}: record {record} is damaged; the table cannot be returned to its checkpoint.");

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
