using System.Collections.Immutable;

namespace Engram.Addressing.Statistics;

/// <summary>
/// Counts the n-grams that no head can tell from another one: all their rows agree. By the Chinese remainder theorem that is so when their
/// mixes agree modulo the product of the heads' primes, and when that product exceeds every mix (2^63; three heads of 2.26 million rows are
/// enough), only when the mixes are equal.
/// </summary>
/// <param name="packing">Of the n-grams.</param>
/// <param name="identitiesAtATime">Mixes held in memory; n-grams are taken in as many parts, by a hash of their mix, as that needs.</param>
/// <param name="cancellation">Looked at once per block of n-grams.</param>
internal sealed class EqualAddresses(NgramPacking packing, long identitiesAtATime, CancellationToken cancellation)
{
    // Parts differ in size; half of the room is kept for that, and a part that is larger still grows.
    private const int Slack = 2;

    /// <summary>Distinct n-grams whose rows in all heads are those of another distinct n-gram.</summary>
    public long Count(NgramRun run, int order, ImmutableArray<long> multipliers, ImmutableArray<long> primes)
    {
        var product = (UInt128)1;
        foreach (var prime in primes)
            product = UInt128.Min(product * (UInt128)prime, UInt128.One << 63);
        var parts = Math.Max(1, (run.Count * Slack + identitiesAtATime - 1) / identitiesAtATime);
        var identities = new List<ulong>();
        var equal = 0L;
        for (var part = 0L; part < parts; part++)
        {
            identities.Clear();
            for (var reader = new NgramRunReader(run); reader.MoveNext(); )
            {
                if (reader.IsAtBlockStart)
                    cancellation.ThrowIfCancellationRequested();
                var identity = packing.Mix(reader.Current.Key, order, multipliers) % (ulong)product;
                if ((long)Math.BigMul(identity * 0x9E3779B97F4A7C15, (ulong)parts, out _) == part)
                    identities.Add(identity);
            }
            identities.Sort();
            for (int start = 0, end; start < identities.Count; start = end)
            {
                for (end = start + 1; end < identities.Count && identities[end] == identities[start]; end++) { }
                if (end - start > 1)
                    equal += end - start;
            }
        }
        return equal;
    }
}
