using System.Collections.Immutable;

namespace Engram.Addressing;

/// <summary>
/// Everything that decides the addresses of a memory (paper §2.3; demonstration program of January 2026).
/// <see cref="AddressingConstants.Derive"/> turns it into numbers. Two specifications are equal if all values are.
/// </summary>
public sealed record AddressingSpec
{
    /// <summary>
    /// Largest <see cref="CompressedVocabularySize"/>. Beyond about 2^30 the published generator would draw multipliers in another way.
    /// </summary>
    public const int MaxCompressedVocabularySize = 1 << 29;

    /// <summary>Largest entry of <see cref="SlotsPerOrder"/>, far beyond any memory, so that sums of rows stay below 2^63.</summary>
    public const long MaxSlots = 1L << 48;

    /// <summary>
    /// Number V′ of canonical ids after vocabulary compression. It enters every multiplier: another value addresses other rows everywhere.
    /// </summary>
    /// <value>1 to 2^29.</value>
    public required int CompressedVocabularySize { get; init; }

    /// <summary>Layers that read the memory. Multipliers depend on the index, primes on the position in this list.</summary>
    /// <value>0-based block indices, strictly ascending, at least one. The paper counts from 1: its [2, 15] is [1, 14] here.</value>
    public required ImmutableArray<int> Layers { get; init; }

    /// <summary>
    /// Nominal rows of one head's segment, one entry per order from the smallest: where the search for its prime begins, or its base m.
    /// </summary>
    /// <value>N − 1 entries, with another <see cref="MinOrder"/> as many as there are orders, of at least 2 rows.</value>
    public required ImmutableArray<long> SlotsPerOrder { get; init; }

    /// <summary>Hash heads per order, K: independent segments that differ only in their prime.</summary>
    /// <value>At least 1.</value>
    public required int HeadsPerOrder { get; init; }

    /// <summary>Base seed of the multipliers.</summary>
    /// <value>Not negative. Default 0, as in every published model.</value>
    public long Seed { get; init; }

    /// <summary>Canonical id that fills window positions before the start of a document.</summary>
    /// <value>0 to V′ − 1. Required: it is the tokenizer's pad token after compression.</value>
    public required int PadId { get; init; }

    /// <summary>Smallest n-gram order, in tokens: 1 reads rows of single tokens, too.</summary>
    /// <value>At least 1. Default 2, as in every published model.</value>
    public int MinOrder { get; init; } = 2;

    /// <summary>How an n-gram becomes a row.</summary>
    public HashScheme Hash { get; init; }

    /// <summary>Largest n-gram order N, in tokens.</summary>
    public int MaxOrder => MinOrder + SlotsPerOrder.Length - 1;

    /// <summary>Rows H = (N − 1)·K that one token reads in one layer; fewer or more with another <see cref="MinOrder"/>.</summary>
    public int Columns => SlotsPerOrder.Length * HeadsPerOrder;

    /// <summary>Returns this instance, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public AddressingSpec Validated()
    {
        Require(
            CompressedVocabularySize is >= 1 and <= MaxCompressedVocabularySize,
            $"compressed vocabulary of {CompressedVocabularySize} ids; 1 to {MaxCompressedVocabularySize} are possible"
        );
        Require(!Layers.IsDefaultOrEmpty, "no layer is given");
        for (var i = 0; i < Layers.Length; i++)
            Require(Layers[i] > (i == 0 ? -1 : Layers[i - 1]), $"layers [{string.Join(", ", Layers)}] are not strictly ascending from 0");
        Require(!SlotsPerOrder.IsDefaultOrEmpty, "no order is given: slots per order is empty");
        foreach (var slots in SlotsPerOrder)
            Require(slots is >= 2 and <= MaxSlots, $"{slots} slots per head; 2 to {MaxSlots} are possible");
        Require(HeadsPerOrder >= 1, $"{HeadsPerOrder} heads per order; at least 1 is needed");
        Require(
            (long)SlotsPerOrder.Length * HeadsPerOrder * Layers.Length <= MaxSegments,
            $"{Layers.Length} layers of {SlotsPerOrder.Length} orders of {HeadsPerOrder} heads; {MaxSegments} segments are possible"
        );
        Require(MinOrder is >= 1 and <= MaxMinOrder, $"smallest order {MinOrder}; 1 to {MaxMinOrder} are possible");
        Require(Enum.IsDefined(Hash), $"hash {Hash} does not exist");
        if (Hash == HashScheme.Polynomial)
            foreach (var slots in SlotsPerOrder)
            {
                Require(
                    (Int128)(slots + (2 * MaxSegments)) * CompressedVocabularySize <= long.MaxValue,
                    $"{slots} slots of polynomial codes in base {CompressedVocabularySize} leave 63 bits"
                );
                Require(
                    CompressedVocabularySize == 1 || slots % CompressedVocabularySize != 0,
                    $"{slots} slots are a multiple of the {CompressedVocabularySize} ids: a polynomial code would tell current tokens "
                        + "alone apart"
                );
            }
        Require(Seed >= 0, $"seed {Seed} is negative");
        Require(PadId >= 0 && PadId < CompressedVocabularySize, $"pad id {PadId} is not a canonical id below {CompressedVocabularySize}");
        return this;
    }

    // Keeps a hostile file from starting a search for billions of primes.
    private const int MaxSegments = 1 << 14;

    private const int MaxMinOrder = 64;

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
            throw new ArgumentException($"Addressing specification: {otherwise}.");
    }

    /// <summary>Equality of every value, lists by their elements.</summary>
    public bool Equals(AddressingSpec? other) =>
        other is not null
        && CompressedVocabularySize == other.CompressedVocabularySize
        && HeadsPerOrder == other.HeadsPerOrder
        && Seed == other.Seed
        && PadId == other.PadId
        && MinOrder == other.MinOrder
        && Hash == other.Hash
        && Layers.AsSpan().SequenceEqual(other.Layers.AsSpan())
        && SlotsPerOrder.AsSpan().SequenceEqual(other.SlotsPerOrder.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() =>
        HashCode.Combine(CompressedVocabularySize, HeadsPerOrder, Seed, PadId, Layers.Length, SlotsPerOrder.Length, MinOrder, Hash);
}
