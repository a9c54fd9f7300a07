namespace Engram.Inference.Kernels;

/// <summary>How the values of a matrix lie in memory.</summary>
internal enum ValueFormat
{
    /// <summary>IEEE single.</summary>
    Float32,

    /// <summary>The upper half of an IEEE single.</summary>
    BFloat16,

    /// <summary>A signed byte times the bfloat16 scale of its group.</summary>
    Int8,

    /// <summary>
    /// Half a byte, codes 0 to 15 for −8 to 7 and the first of two values in the low half, times the bfloat16 scale of its group.
    /// </summary>
    Int4,
}

/// <summary>A row-major matrix in memory that somebody else holds, for example a mapped file. Aligned to nothing in particular.</summary>
/// <param name="Values">First byte of the values; rows follow each other without gap.</param>
/// <param name="Rows">Rows R.</param>
/// <param name="Columns">Columns K; even for <see cref="ValueFormat.Int4"/>.</param>
/// <param name="Format">What the values are.</param>
/// <param name="Scales">First scale [R, ⌈K / <see cref="GroupSize"/>⌉] of formats with scales.</param>
internal readonly unsafe record struct Matrix(nint Values, int Rows, int Columns, ValueFormat Format = ValueFormat.Float32, nint Scales = 0)
{
    /// <summary>Consecutive values of a row that share a scale. Registers divide it, so that no register has two scales.</summary>
    public const int GroupSize = 32;

    /// <summary>Bytes of a row's values.</summary>
    public int RowBytes =>
        Format switch
        {
            ValueFormat.Float32 => Columns * sizeof(float),
            ValueFormat.BFloat16 => Columns * sizeof(ushort),
            ValueFormat.Int8 => Columns,
            _ => Columns / 2,
        };

    /// <summary>Scales of a row.</summary>
    public int RowScales => Format is ValueFormat.Int8 or ValueFormat.Int4 ? (Columns + GroupSize - 1) / GroupSize : 0;

    /// <summary>Bytes of all values and scales.</summary>
    public long Bytes => Rows * ((long)RowBytes + sizeof(ushort) * RowScales);

    /// <summary>First value byte of a row.</summary>
    public byte* Row(int row) => (byte*)Values + (nint)row * RowBytes;

    /// <summary>First scale of a row.</summary>
    public ushort* RowScale(int row) => (ushort*)Scales + (nint)row * RowScales;

    /// <summary>Consecutive rows of it.</summary>
    public Matrix Slice(int row, int rows) => this with { Values = (nint)Row(row), Scales = (nint)RowScale(row), Rows = rows };

    /// <summary>Copies a row as float32.</summary>
    public void CopyRow(int row, float* target)
    {
        var one = 1f;
        RowMixture.Mix(Slice(row, 1), &one, target);
    }
}
