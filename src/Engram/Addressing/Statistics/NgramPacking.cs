using System.Collections.Immutable;
using System.Numerics;

namespace Engram.Addressing.Statistics;

/// <summary>How the ids of an n-gram share 128 bits: id i positions back lies at bit i·<see cref="BitsPerId"/>.</summary>
internal readonly struct NgramPacking
{
    private readonly UInt128 _pads;

    /// <exception cref="ArgumentException">The longest n-gram does not fit 128 bits, or its rows do not follow from a mix.</exception>
    public NgramPacking(AddressingSpec spec)
    {
        if (spec.Hash != HashScheme.MultiplicativeXor)
            throw new ArgumentException(
                $"Statistics are made of memories with the hash {HashScheme.MultiplicativeXor}; this one has {spec.Hash}."
            );
        BitsPerId = Math.Max(1, 32 - BitOperations.LeadingZeroCount((uint)spec.CompressedVocabularySize - 1));
        if (BitsPerId * spec.MaxOrder > 128)
            throw new ArgumentException(
                $"Statistics: {spec.MaxOrder} ids of {BitsPerId} bits do not fit 128 bits; with {spec.CompressedVocabularySize} canonical "
                    + $"ids orders up to {128 / BitsPerId} can be counted."
            );
        for (var i = 0; i < spec.MaxOrder; i++)
            _pads = _pads << BitsPerId | (uint)spec.PadId;
    }

    /// <summary>Bits of one id, the fewest that hold V′ − 1.</summary>
    public int BitsPerId { get; }

    /// <summary>The window that follows when a token is read.</summary>
    public UInt128 Push(UInt128 window, int id) => window << BitsPerId | (uint)id;

    /// <summary>The n-gram of an order that ends at the newest token: ids further back than the reach are pads.</summary>
    /// <param name="window">Ids in the order of <see cref="Push"/>.</param>
    /// <param name="reach">Live tokens of the window, at least 1.</param>
    /// <param name="order">1 to N.</param>
    public UInt128 Ngram(UInt128 window, int reach, int order)
    {
        var live = LowBits(Math.Min(reach, order));
        return window & live | _pads & LowBits(order) & ~live;
    }

    /// <summary>mix_n of an n-gram, from which the rows of all heads follow.</summary>
    public ulong Mix(UInt128 ngram, int order, ImmutableArray<long> multipliers)
    {
        var mask = (1u << BitsPerId) - 1;
        var mix = 0UL;
        for (var i = 0; i < order; i++)
        {
            mix ^= ((uint)ngram & mask) * (ulong)multipliers[i];
            ngram >>= BitsPerId;
        }
        return mix;
    }

    private UInt128 LowBits(int ids) => ids * BitsPerId >= 128 ? UInt128.MaxValue : (UInt128.One << (ids * BitsPerId)) - 1;
}
