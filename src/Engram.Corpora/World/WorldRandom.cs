namespace Engram.Corpora.World;

/// <summary>
/// Random numbers of one part of a world: SplitMix64 (Steele, Lea and Flood 2014) started from the seed and the part's name, so that parts
/// do not depend on how much the others draw. Unlike <see cref="Random"/>, whose numbers may change with .NET, it gives the same ones for
/// ever.
/// </summary>
internal sealed class WorldRandom(long seed, string part)
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    private ulong _state = StableHash.Of(part, (ulong)seed);

    /// <summary>64 random bits.</summary>
    public ulong Bits() => StableHash.Mix(_state += Increment);

    /// <summary>Uniform in [0, 1).</summary>
    public double Share() => (Bits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, <paramref name="count"/>).</summary>
    /// <param name="count">At least 1.</param>
    public int Below(int count)
    {
        // Lemire 2019: the high half of a product, drawn again where the low half would favour small numbers.
        var product = (UInt128)Bits() * (ulong)count;
        while ((ulong)product < (ulong)count && (ulong)product < (0 - (ulong)count) % (ulong)count)
            product = (UInt128)Bits() * (ulong)count;
        return (int)(product >> 64);
    }

    /// <summary>One of several.</summary>
    public T Of<T>(IReadOnlyList<T> choices) => choices[Below(choices.Count)];

    /// <summary>Several in random order.</summary>
    public T[] Shuffled<T>(IEnumerable<T> several)
    {
        T[] shuffled = [.. several];
        Shuffle(shuffled);
        return shuffled;
    }

    /// <summary>Puts a list into random order.</summary>
    public void Shuffle<T>(IList<T> list)
    {
        for (var i = list.Count - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (list[i], list[j]) = (list[j], list[i]);
        }
    }
}
