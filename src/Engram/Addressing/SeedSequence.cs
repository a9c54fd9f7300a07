namespace Engram.Addressing;

/// <summary>
/// Expands a seed into the four 64-bit words that start <see cref="Pcg64"/>, bit for bit as numpy's <c>SeedSequence</c> with its pool of
/// four words and no spawn key. The published multipliers come from it, so it is part of the checkpoint contract.
/// </summary>
internal static class SeedSequence
{
    private const int PoolSize = 4;

    /// <summary>Four 64-bit words for a seed below 2^128.</summary>
    public static (ulong Word0, ulong Word1, ulong Word2, ulong Word3) Expand(UInt128 seed)
    {
        Span<uint> pool = stackalloc uint[PoolSize];
        Fill(seed, pool);

        Span<uint> output = stackalloc uint[2 * PoolSize];
        var constant = 0x8b51f9ddu;
        for (var i = 0; i < output.Length; i++)
        {
            var x = pool[i % PoolSize] ^ constant;
            constant *= 0x58f38dedu;
            x *= constant;
            output[i] = x ^ (x >> 16);
        }
        return (Join(output, 0), Join(output, 1), Join(output, 2), Join(output, 3));
    }

    /// <summary>The pool after hashing and cross-mixing, for tests against published intermediate values.</summary>
    internal static void Fill(UInt128 seed, Span<uint> pool)
    {
        var constant = 0x43b0d7e5u;
        for (var i = 0; i < PoolSize; i++)
            pool[i] = Hash((uint)(seed >> (32 * i)), ref constant);
        for (var source = 0; source < PoolSize; source++)
        for (var target = 0; target < PoolSize; target++)
            if (target != source)
                pool[target] = Combine(pool[target], Hash(pool[source], ref constant));
    }

    private static uint Hash(uint x, ref uint constant)
    {
        x ^= constant;
        constant *= 0x931e8875u;
        x *= constant;
        return x ^ (x >> 16);
    }

    private static uint Combine(uint x, uint y)
    {
        var z = 0xca01f9ddu * x - 0x4973f715u * y;
        return z ^ (z >> 16);
    }

    private static ulong Join(ReadOnlySpan<uint> words, int k) => words[2 * k] | (ulong)words[2 * k + 1] << 32;
}
