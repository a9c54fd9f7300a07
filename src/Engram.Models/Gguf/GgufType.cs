namespace Engram.Models.Gguf;

/// <summary>Element types of GGUF that are written, with their numbers in the file.</summary>
internal enum GgufType : uint
{
    /// <summary>IEEE single.</summary>
    F32 = 0,

    /// <summary>
    /// 32 half bytes behind a half precision scale: code 0 to 15 for −8 to 7; values 0 to 15 are the low halves, 16 to 31 the high ones.
    /// </summary>
    Q4_0 = 2,

    /// <summary>32 signed bytes behind a half precision scale.</summary>
    Q8_0 = 8,

    /// <summary>The upper half of an IEEE single.</summary>
    BF16 = 30,
}

/// <summary>Sizes of the types.</summary>
internal static class GgufTypes
{
    /// <summary>Values that share a scale.</summary>
    public const int Block = 32;

    /// <summary>Bytes of a row.</summary>
    public static long Bytes(this GgufType type, long values) =>
        type switch
        {
            GgufType.F32 => 4 * values,
            GgufType.BF16 => 2 * values,
            GgufType.Q8_0 => values / Block * (2 + Block),
            _ => values / Block * (2 + Block / 2),
        };
}
