namespace Engram.Corpora;

/// <summary>
/// 64-bit hashes that are the same in every process and on every machine, unlike <see cref="string.GetHashCode()"/>. Not cryptographic.
/// </summary>
internal static class StableHash
{
    /// <summary>The state before the first FNV-1a step.</summary>
    internal const ulong Start = 0xCBF29CE484222325;

    private const ulong Prime = 0x100000001B3;

    /// <summary>
    /// FNV-1a over UTF-16 units, finished by <see cref="Mix"/> because FNV alone leaves the high bits of short texts alike.
    /// </summary>
    internal static ulong Of(ReadOnlySpan<char> text, ulong salt = 0)
    {
        var hash = Start ^ Mix(salt);
        foreach (var unit in text)
            hash = Append(hash, unit);
        return Mix(hash);
    }

    /// <summary>One FNV-1a step.</summary>
    internal static ulong Append(ulong hash, char unit) => (hash ^ unit) * Prime;

    /// <summary>The finaliser of SplitMix64: a bijection whose output bits each depend on all input bits.</summary>
    internal static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
