using System.Numerics;

namespace Engram.Corpora;

/// <summary>
/// A pseudo-random permutation of 0 … Count − 1 that needs no memory: a Feistel network on the next even number of bits, walked until it
/// lands below Count (Black and Rogaway 2002). Any element is found without the others, so a position in the data is a number and resuming
/// costs nothing.
/// </summary>
internal readonly struct BlockPermutation
{
    private const int Rounds = 6;

    private readonly ulong _key;
    private readonly int _halfBits;

    /// <summary>The permutation that belongs to a seed and an epoch.</summary>
    internal BlockPermutation(long count, ulong seed, long epoch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _key = StableHash.Mix(StableHash.Mix(seed) ^ (ulong)epoch);
        _halfBits = Math.Max(1, (BitOperations.Log2((ulong)(count - 1) | 1) + 2) / 2);
    }

    internal long Count { get; }

    /// <summary>
    /// The element at an index; at most three rounds of the walk are expected because the domain is below four times Count.
    /// </summary>
    internal long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            var value = (ulong)index;
            do value = Feistel(value);
            while (value >= (ulong)Count);
            return (long)value;
        }
    }

    private ulong Feistel(ulong value)
    {
        var mask = (1UL << _halfBits) - 1;
        var (left, right) = (value >> _halfBits, value & mask);
        for (var round = 0; round < Rounds; round++)
            (left, right) = (right, left ^ (StableHash.Mix(_key + (ulong)round * 0x9E3779B97F4A7C15 ^ right) & mask));
        return (left << _halfBits) | right;
    }
}
