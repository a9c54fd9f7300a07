using System.Collections.Immutable;

namespace Engram.Addressing;

/// <summary>The hash constants of all memory layers. Derived from the specification alone, bit for bit the same on every machine.</summary>
public sealed class AddressingConstants
{
    // Separates the generators of the layers; the value is the published program's and part of the checkpoint contract.
    private const int LayerStride = 10007;

    private AddressingConstants(AddressingSpec spec, ImmutableArray<LayerConstants> layers)
    {
        Spec = spec;
        Layers = layers;
    }

    /// <summary>What they were derived from.</summary>
    public AddressingSpec Spec { get; }

    /// <summary>One entry per memory layer, in the order of <see cref="AddressingSpec.Layers"/>.</summary>
    public ImmutableArray<LayerConstants> Layers { get; }

    /// <summary>Derives multipliers, primes and offsets.</summary>
    /// <param name="spec">Validated here.</param>
    /// <exception cref="ArgumentException">A value of <paramref name="spec"/> is out of range.</exception>
    public static AddressingConstants Derive(AddressingSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        spec.Validated();
        // All primes of a model are distinct: one set for all layers and orders, while the search begins anew at each order's slots.
        var used = new HashSet<long>();
        var layers = ImmutableArray.CreateBuilder<LayerConstants>(spec.Layers.Length);
        foreach (var layer in spec.Layers)
            layers.Add(
                spec.Hash == HashScheme.Polynomial
                    ? new LayerConstants(layer, [], SegmentModuli(spec, layers.Count * spec.Columns))
                    : new LayerConstants(layer, Multipliers(spec, layer), SegmentPrimes(spec, used))
            );
        return new AddressingConstants(spec, layers.MoveToImmutable());
    }

    /// <summary>Largest multiplier for which no product with a canonical id leaves 63 bits.</summary>
    internal static long MaxMultiplier(int compressedVocabularySize) => long.MaxValue / compressedVocabularySize;

    private static ImmutableArray<long> Multipliers(AddressingSpec spec, int layer)
    {
        var bound = (ulong)MaxMultiplier(spec.CompressedVocabularySize) / 2;
        var generator = new Pcg64((UInt128)spec.Seed + (UInt128)LayerStride * (uint)layer);
        var multipliers = ImmutableArray.CreateBuilder<long>(spec.MaxOrder);
        for (var i = 0; i < spec.MaxOrder; i++)
            multipliers.Add((long)(2 * generator.NextBelow(bound) + 1));
        return multipliers.MoveToImmutable();
    }

    private static ImmutableArray<ImmutableArray<long>> SegmentPrimes(AddressingSpec spec, HashSet<long> used)
    {
        var orders = ImmutableArray.CreateBuilder<ImmutableArray<long>>(spec.SlotsPerOrder.Length);
        foreach (var slots in spec.SlotsPerOrder)
        {
            var heads = ImmutableArray.CreateBuilder<long>(spec.HeadsPerOrder);
            var prime = slots - 1;
            for (var head = 0; head < spec.HeadsPerOrder; head++)
            {
                prime = Primes.NextUnused(prime, used);
                used.Add(prime);
                heads.Add(prime);
            }
            orders.Add(heads.MoveToImmutable());
        }
        return orders.MoveToImmutable();
    }

    /// <summary>m + 2j for the j-th segment of the model, so that all differ (OverEncoding).</summary>
    private static ImmutableArray<ImmutableArray<long>> SegmentModuli(AddressingSpec spec, int first) =>
        [
            .. spec.SlotsPerOrder.Select(
                (slots, order) =>
                    ImmutableArray.CreateRange(
                        Enumerable.Range(0, spec.HeadsPerOrder).Select(head => slots + (2L * (first + (order * spec.HeadsPerOrder) + head)))
                    )
            ),
        ];
}

/// <summary>The hash constants of one memory layer.</summary>
public sealed class LayerConstants
{
    internal LayerConstants(int layer, ImmutableArray<long> multipliers, ImmutableArray<ImmutableArray<long>> primes)
    {
        Layer = layer;
        Multipliers = multipliers;
        Primes = primes;
        var offsets = ImmutableArray.CreateBuilder<long>(primes.Length * primes[0].Length);
        foreach (var heads in primes)
        foreach (var prime in heads)
        {
            offsets.Add(TotalRows);
            TotalRows += prime;
        }
        Offsets = offsets.MoveToImmutable();
    }

    /// <summary>0-based index of the block.</summary>
    public int Layer { get; }

    /// <summary>
    /// N odd multipliers; entry i belongs to the token i positions back. None where the hash is <see cref="HashScheme.Polynomial"/>.
    /// </summary>
    public ImmutableArray<long> Multipliers { get; }

    /// <summary>
    /// Rows of each segment, [N − 1 orders][K heads], all prime and distinct in the whole model; the moduli m + 2j where the hash is <see
    /// cref="HashScheme.Polynomial"/>.
    /// </summary>
    public ImmutableArray<ImmutableArray<long>> Primes { get; }

    /// <summary>
    /// First row of each segment of the layer's table, [H], order-major: heads 0 … K − 1 of the smallest order, then of the next.
    /// </summary>
    public ImmutableArray<long> Offsets { get; }

    /// <summary>Rows R of the layer's table, the sum of all primes.</summary>
    public long TotalRows { get; }
}
