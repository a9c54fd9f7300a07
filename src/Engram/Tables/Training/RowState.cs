using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables.Training;

/// <summary>
/// The state that an optimizer keeps for the rows of a table: zeros at first, in memory, or in a mapped sparse file beside the table, which
/// then need not fit memory.
/// </summary>
internal sealed unsafe class RowState : IDisposable
{
    private const int PageSize = 4096;
    private const string TableRows = ".table_rows";
    public const string RowNumbers = ".rows";

    private readonly long _rows;
    private readonly NativeBuffer<byte>[] _memory;
    private readonly SafetensorsFile? _file;

    /// <param name="rows">Rows of the table.</param>
    /// <param name="file">The file that holds the state, made if it is not there; null for memory.</param>
    /// <param name="arrays">What a row has.</param>
    public RowState(long rows, string? file, StateArray[] arrays)
    {
        _rows = rows;
        if (file is null)
        {
            _memory = [.. arrays.Select(array => new NativeBuffer<byte>(checked(rows * array.Bytes)))];
            Rows = new StateRows(arrays, Starts(_memory));
            return;
        }
        _memory = [];
        if (!File.Exists(file))
            Create(file, arrays);
        _file = SafetensorsFile.OpenWritable(file);
        try
        {
            Rows = Open(_file, "state", arrays, rows);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
        foreach (var (array, i) in arrays.Select((array, i) => (array, i)))
            VirtualMemory.ExpectRandomReads(Rows.At(i, 0), rows * array.Bytes);
    }

    /// <summary>The arrays.</summary>
    public StateRows Rows { get; }

    public bool IsMapped => _file is not null;

    /// <summary>Bytes of one row over all arrays.</summary>
    public int RowBytes => Rows.Arrays.Sum(array => array.Bytes);

    /// <summary>Makes sure that a row of a mapped state can be written: see <see cref="SafetensorsFile.Reserve"/>.</summary>
    public void Reserve(long row)
    {
        for (var i = 0; _file is not null && i < Rows.Arrays.Length; i++)
            _file.Reserve(Rows.At(i, row), Rows.Arrays[i].Bytes);
    }

    /// <summary>Says that rows of a mapped state are needed soon.</summary>
    public void Prefetch(ReadOnlySpan<long> rows)
    {
        for (var i = 0; _file is not null && i < Rows.Arrays.Length; i++)
            MappedPages.StartReadingAbsent(
                new StoredRows(Rows.At(i, 0), null, Rows.Arrays[i].Bytes / sizeof(ushort), RowFormat.BFloat16),
                rows,
                _rows,
                residencyTold: true
            );
    }

    /// <summary>Copies a row of every array, one behind the other.</summary>
    public void CopyOut(long row, Span<byte> destination)
    {
        for (var i = 0; i < Rows.Arrays.Length; i++)
        {
            Rows.Bytes(i, row).CopyTo(destination);
            destination = destination[Rows.Arrays[i].Bytes..];
        }
    }

    /// <summary>Puts back what <see cref="CopyOut"/> copied.</summary>
    public void CopyIn(long row, ReadOnlySpan<byte> source)
    {
        for (var i = 0; i < Rows.Arrays.Length; i++)
        {
            source[..Rows.Arrays[i].Bytes].CopyTo(Rows.Bytes(i, row));
            source = source[Rows.Arrays[i].Bytes..];
        }
    }

    public void Flush() => _file?.Flush();

    /// <summary>
    /// Writes the rows given, n of them, as a safetensors file: <c>NAME.rows</c> I64 [n] and the same rows of every array; R in the
    /// metadata as <c>NAME.table_rows</c>.
    /// </summary>
    public void Save(string path, string name, IReadOnlyList<long> touched, Action<SafetensorsWriter>? more = null)
    {
        var writer = NewWriter(name);
        writer.Add(
            name + RowNumbers,
            DType.I64,
            stream =>
            {
                foreach (var row in touched)
                    stream.Write(BitConverter.GetBytes(row));
            },
            touched.Count
        );
        for (var i = 0; i < Rows.Arrays.Length; i++)
        {
            var (array, index) = (Rows.Arrays[i], i);
            writer.Add(
                name + array.Suffix,
                array.Type,
                stream =>
                {
                    foreach (var row in touched)
                        stream.Write(Rows.Bytes(index, row));
                },
                array.Shape(touched.Count)
            );
        }
        more?.Invoke(writer);
        writer.Write(path);
    }

    /// <summary>A writer of a file about the state of a table.</summary>
    public SafetensorsWriter NewWriter(string name) => new() { Metadata = { [name + TableRows] = _rows.ToString() } };

    /// <summary>Makes sure that a file is about a table of this many rows.</summary>
    public void RequireTable(SafetensorsFile file, string name)
    {
        if (!file.Metadata.TryGetValue(name + TableRows, out var tableRows) || tableRows != _rows.ToString())
            throw new InvalidDataException(
                $"{file.Path}: the state of '{name}' is for a table of {tableRows ?? "unknown"} rows; this one has {_rows}."
            );
    }

    /// <summary>Replaces the state by that of a file.</summary>
    /// <param name="file">What <see cref="Save"/> wrote.</param>
    /// <param name="name">Name of the table's tensor.</param>
    /// <param name="flaw">Why a row of the file cannot be right, or null.</param>
    /// <returns>The rows of the file.</returns>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another table; the state is as it was.</exception>
    public long[] Load(SafetensorsFile file, string name, Func<StateRows, long, string?> flaw)
    {
        var count = file.Require(name + RowNumbers, DType.I64, -1).Shape[0];
        var stored = Open(file, name, Rows.Arrays, count);
        RequireTable(file, name);
        if (count > Array.MaxLength)
            throw new InvalidDataException($"{file.Path}: {count} rows of state; at most {Array.MaxLength} are read.");
        var rows = new long[count];
        file.CopyTo<long>(name + RowNumbers, rows);
        for (var i = 0; i < count; i++)
        {
            if (rows[i] >= _rows || rows[i] <= (i == 0 ? -1 : rows[i - 1]))
                throw new InvalidDataException(
                    $"{file.Path}: row {rows[i]} at position {i} of '{name + RowNumbers}'; rows ascend from 0 to {_rows - 1}."
                );
            if (flaw(stored, i) is { } what)
                throw new InvalidDataException($"{file.Path}: row {rows[i]} of '{name}' {what}.");
        }

        foreach (var buffer in _memory)
            buffer.Clear();
        for (var i = 0; i < count; i++)
        for (var array = 0; array < Rows.Arrays.Length; array++)
            stored.Bytes(array, i).CopyTo(Rows.Bytes(array, rows[i]));
        return rows;
    }

    public void Dispose()
    {
        foreach (var buffer in _memory)
            buffer.Dispose();
        _file?.Dispose();
    }

    private void Create(string path, StateArray[] arrays)
    {
        // The widest first: its rows then keep to the pages.
        var writer = new SafetensorsWriter
        {
            KeepOrder = true,
            DataAlignment = PageSize,
            Metadata = { ["state" + TableRows] = _rows.ToString() },
        };
        foreach (var array in arrays.OrderByDescending(array => array.Bytes))
            writer.Add(
                "state" + array.Suffix,
                array.Type,
                stream =>
                {
                    var end = stream.Position + checked(_rows * array.Bytes);
                    stream.SetLength(end);
                    stream.Position = end;
                },
                array.Shape(_rows)
            );
        writer.Write(path);
    }

    private static StateRows Open(SafetensorsFile file, string name, StateArray[] arrays, long rows)
    {
        var starts = new byte*[arrays.Length];
        for (var i = 0; i < arrays.Length; i++)
        {
            file.Require(name + arrays[i].Suffix, arrays[i].Type, arrays[i].Shape(rows));
            starts[i] = file.Pointer(name + arrays[i].Suffix);
        }
        return new StateRows(arrays, starts);
    }

    private static byte*[] Starts(NativeBuffer<byte>[] buffers)
    {
        var starts = new byte*[buffers.Length];
        for (var i = 0; i < buffers.Length; i++)
            starts[i] = buffers[i].Pointer;
        return starts;
    }
}
