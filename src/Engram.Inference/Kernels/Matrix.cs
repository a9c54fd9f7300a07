namespace Engram.Inference.Kernels;

/// <summary>How the values of a matrix lie in memory.</summary>
internal enum ValueFormat
{
    /// <summary>IEEE single.</summary>
    Float32,

    /// <summary>The upper half of an IEEE single.</summary>
    BFloat16,
}

/// <summary>A row-major matrix in memory that somebody else holds, for example a mapped file. Aligned to nothing in particular.</summary>
/// <param name="Values">First value.</param>
/// <param name="Rows">Rows R.</param>
/// <param name="Columns">Columns K.</param>
/// <param name="Format">What the values are.</param>
internal readonly unsafe record struct Matrix(nint Values, int Rows, int Columns, ValueFormat Format = ValueFormat.Float32)
{
    /// <summary>Consecutive rows of it.</summary>
    public Matrix Slice(int row, int rows) => new(Values + (nint)row * Columns * ValueBytes, rows, Columns, Format);

    /// <summary>Copies a row as float32.</summary>
    public void CopyRow(int row, float* target)
    {
        var source = Values + (nint)row * Columns * ValueBytes;
        if (Format == ValueFormat.Float32)
            new ReadOnlySpan<float>((void*)source, Columns).CopyTo(new Span<float>(target, Columns));
        else
            for (var i = 0; i < Columns; i++)
                target[i] = BitConverter.UInt32BitsToSingle((uint)((ushort*)source)[i] << 16);
    }

    private int ValueBytes => Format == ValueFormat.Float32 ? sizeof(float) : sizeof(ushort);
}
