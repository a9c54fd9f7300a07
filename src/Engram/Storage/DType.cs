using System.Collections.Frozen;

namespace Engram.Storage;

/// <summary>
/// Element types of the safetensors format, named as in the file and in the order of the reference implementation, by which a writer sorts.
/// All of them are recognised when reading a header.
/// </summary>
public enum DType
{
    /// <summary>One byte, 0 or 1.</summary>
    BOOL,

    /// <summary>4 bits, two per byte.</summary>
    F4,

    /// <summary>6 bits: sign, 2 exponent, 3 mantissa.</summary>
    F6_E2M3,

    /// <summary>6 bits: sign, 3 exponent, 2 mantissa.</summary>
    F6_E3M2,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>8-bit float with 5 exponent and 2 mantissa bits.</summary>
    F8_E5M2,

    /// <summary>8-bit float with 4 exponent and 3 mantissa bits, finite ("fn") form: no infinities, largest value 448.</summary>
    F8_E4M3,

    /// <summary>8-bit power of two, 2^(x − 127): block scales.</summary>
    F8_E8M0,

    /// <summary>As <see cref="F8_E4M3"/> without negative zero.</summary>
    F8_E4M3FNUZ,

    /// <summary>As <see cref="F8_E5M2"/>, finite, without negative zero.</summary>
    F8_E5M2FNUZ,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of an IEEE single.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Two singles, real and imaginary part.</summary>
    C64,

    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
}

/// <summary>Names, sizes and managed counterparts of the element types.</summary>
internal static class DTypes
{
    private static readonly FrozenDictionary<string, DType> ByName = Enum.GetValues<DType>()
        .ToFrozenDictionary(type => type.ToString(), StringComparer.Ordinal);

    public static bool TryParse(string name, out DType type) => ByName.TryGetValue(name, out type);

    /// <summary>Bits of one element.</summary>
    public static int Bits(this DType type) =>
        type switch
        {
            DType.F4 => 4,
            DType.F6_E2M3 or DType.F6_E3M2 => 6,
            DType.BOOL
            or DType.U8
            or DType.I8
            or DType.F8_E5M2
            or DType.F8_E4M3
            or DType.F8_E8M0
            or DType.F8_E4M3FNUZ
            or DType.F8_E5M2FNUZ => 8,
            DType.I16 or DType.U16 or DType.F16 or DType.BF16 => 16,
            DType.I32 or DType.U32 or DType.F32 => 32,
            DType.C64 or DType.F64 or DType.I64 or DType.U64 => 64,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a safetensors element type."),
        };

    /// <summary>
    /// Whether elements may be seen as <typeparamref name="T"/>: the type of that name, or for types .NET lacks an unsigned integer of the
    /// same width (<see cref="ushort"/> for BF16, <see cref="byte"/> for the 8-bit floats and packed types).
    /// </summary>
    public static bool IsStoredAs<T>(this DType type)
        where T : unmanaged =>
        type switch
        {
            DType.BOOL => typeof(T) == typeof(bool) || typeof(T) == typeof(byte),
            DType.I8 => typeof(T) == typeof(sbyte),
            DType.I16 => typeof(T) == typeof(short),
            DType.U16 or DType.BF16 => typeof(T) == typeof(ushort),
            DType.F16 => typeof(T) == typeof(Half),
            DType.I32 => typeof(T) == typeof(int),
            DType.U32 => typeof(T) == typeof(uint),
            DType.F32 => typeof(T) == typeof(float),
            DType.F64 => typeof(T) == typeof(double),
            DType.I64 => typeof(T) == typeof(long),
            DType.U64 => typeof(T) == typeof(ulong),
            DType.C64 => false,
            _ => typeof(T) == typeof(byte),
        };
}
