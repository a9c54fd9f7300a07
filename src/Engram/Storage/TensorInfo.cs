namespace Engram.Storage;

/// <summary>One tensor of a safetensors file. Row-major, little-endian.</summary>
/// <param name="Name">Name, unique in the file.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar. Not to be changed.</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="ByteLength">Length in bytes.</param>
public sealed record TensorInfo(string Name, DType DType, long[] Shape, long Offset, long ByteLength)
{
    /// <summary>Number of elements, the product of <see cref="Shape"/>; 1 for a scalar.</summary>
    public long ElementCount => ByteLength * 8 / DType.Bits();

    /// <summary>For messages, for example <c>F32 [3, 4]</c>.</summary>
    internal static string Describe(DType type, ReadOnlySpan<long> shape) => $"{type} [{string.Join(", ", shape.ToArray())}]";

    /// <summary>Bits of all elements; false if the count does not fit 63 bits.</summary>
    internal static bool TryCountBits(DType type, ReadOnlySpan<long> shape, out long bits)
    {
        UInt128 product = (UInt128)type.Bits();
        foreach (var size in shape)
        {
            product *= (UInt128)size;
            if (product > long.MaxValue)
            {
                bits = 0;
                return false;
            }
        }
        bits = (long)product;
        return true;
    }
}
