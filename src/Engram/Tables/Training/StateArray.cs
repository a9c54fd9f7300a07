using Engram.Storage;

namespace Engram.Tables.Training;

/// <summary>One array of an optimizer's state, with a row for every row of the table.</summary>
/// <param name="Suffix">Behind the name of the table's tensor.</param>
/// <param name="Type">Of its elements.</param>
/// <param name="Columns">Elements of a row; 0 for an array of one dimension, one element a row.</param>
internal readonly record struct StateArray(string Suffix, DType Type, int Columns = 0)
{
    /// <summary>Of a row.</summary>
    public int Bytes =>
        Math.Max(1, Columns)
        * Type switch
        {
            DType.BF16 => sizeof(ushort),
            DType.I32 or DType.F32 => sizeof(float),
            _ => throw new NotSupportedException($"State of {Type}."),
        };

    public long[] Shape(long rows) => Columns == 0 ? [rows] : [rows, Columns];

    /// <summary>Moments of rows of a width.</summary>
    public static StateArray Moments(string suffix, MomentFormat format, int width) =>
        new(suffix, format == MomentFormat.Float32 ? DType.F32 : DType.BF16, width);
}

/// <summary>Rows of state arrays where they lie: in memory, in a mapped state file, or in a file that is being read.</summary>
internal readonly unsafe struct StateRows(StateArray[] arrays, byte*[] starts)
{
    public StateArray[] Arrays => arrays;

    public byte* At(int array, long row) => starts[array] + row * arrays[array].Bytes;

    public Span<byte> Bytes(int array, long row) => new(At(array, row), arrays[array].Bytes);

    public Span<float> Floats(int array, long row) => new(At(array, row), Math.Max(1, arrays[array].Columns));

    public Span<ushort> Halves(int array, long row) => new(At(array, row), Math.Max(1, arrays[array].Columns));

    public ref int Count(int array, long row) => ref *(int*)At(array, row);

    public bool IsBFloat16(int array) => arrays[array].Type == DType.BF16;

    /// <summary>Moments of a row as float32: in place, or widened into a scratch of its length.</summary>
    public Span<float> Widened(int array, long row, Span<float> scratch)
    {
        if (!IsBFloat16(array))
            return Floats(array, row);
        BFloat16.Widen(Halves(array, row), scratch);
        return scratch;
    }

    /// <summary>Stores what <see cref="Widened"/> returned and the caller has changed.</summary>
    public void Store(int array, long row, ReadOnlySpan<float> values)
    {
        if (IsBFloat16(array))
            BFloat16.Round(values, Halves(array, row));
    }
}
