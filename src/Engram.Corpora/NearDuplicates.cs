using System.Runtime.InteropServices;
using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// Leaves out documents that repeat another one: exactly, in their letters, or nearly (MinHash, banded locality-sensitive hashing).
/// Documents are visited in an order that depends on their text alone, and each is kept unless it repeats one already kept; so the outcome
/// does not depend on the order of the source, the number of threads or the machine.
/// </summary>
internal static class NearDuplicates
{
    /// <summary>Documents at or above this estimated Jaccard similarity are duplicates.</summary>
    internal const double Threshold = 0.81;

    // 21 bands of 6 rows find a pair with probability 1 − (1 − J⁶)²¹: 0.999 at J = 0.81, 0.28 at 0.5.
    private const int Bands = 21;
    private const int BandRows = 6;

    private const ulong OrderSalt = 1;
    private static readonly int MaximumDocuments = Array.MaxLength / MinHash.Length;
    private static readonly int RequiredMatches = (int)Math.Ceiling(Threshold * MinHash.Length);

    /// <summary>The documents that remain, in the order of a hash of their text: a fixed shuffle.</summary>
    /// <exception cref="ArgumentException">More than 16 million documents.</exception>
    internal static (List<Document> Kept, DeduplicationStatistics Statistics) Remove(
        IReadOnlyList<Document> documents,
        CancellationToken cancellation = default
    )
    {
        // One array holds all signatures.
        if (documents.Count > MaximumDocuments)
            throw new ArgumentException(
                $"{documents.Count} documents are more than the {MaximumDocuments} that are compared at once. Prepare the corpus in parts.",
                nameof(documents)
            );
        var sorted = Sorted(documents, cancellation);
        var (distinct, exact, normalised) = DistinctLetters(sorted, cancellation);
        var kept = Dissimilar(distinct, cancellation);
        return (kept, new DeduplicationStatistics(documents.Count, exact, normalised, distinct.Count - kept.Count, NearValidation: 0));
    }

    private static Document[] Sorted(IReadOnlyList<Document> documents, CancellationToken cancellation)
    {
        var sorted = documents.ToArray();
        var keys = new (ulong Hash, string Name)[sorted.Length];
        For(sorted.Length, cancellation, i => keys[i] = (StableHash.Of(sorted[i].Text, OrderSalt), sorted[i].Name));
        Array.Sort(
            keys,
            sorted,
            Comparer<(ulong Hash, string Name)>.Create(
                (x, y) => x.Hash != y.Hash ? x.Hash.CompareTo(y.Hash) : string.CompareOrdinal(x.Name, y.Name)
            )
        );
        return sorted;
    }

    private static (List<Document> Distinct, int Exact, int Normalised) DistinctLetters(
        Document[] documents,
        CancellationToken cancellation
    )
    {
        var hashes = new (ulong Text, ulong Letters)[documents.Length];
        For(documents.Length, cancellation, i => hashes[i] = (StableHash.Of(documents[i].Body), LettersHash(documents[i].Body)));
        var texts = new HashSet<ulong>();
        var letters = new HashSet<ulong>();
        var distinct = new List<Document>();
        var (exact, normalised) = (0, 0);
        for (var i = 0; i < documents.Length; i++)
            if (!texts.Add(hashes[i].Text))
                exact++;
            else if (!letters.Add(hashes[i].Letters))
                normalised++;
            else
                distinct.Add(documents[i]);
        return (distinct, exact, normalised);
    }

    /// <summary>
    /// The hash of the lower-cased letters; of the whole text where there are none, so that tables of numbers stay apart.
    /// </summary>
    private static ulong LettersHash(ReadOnlySpan<char> text)
    {
        var hash = StableHash.Start;
        foreach (var unit in text)
            if (char.IsLetter(unit))
                hash = StableHash.Append(hash, char.ToLowerInvariant(unit));
        return hash == StableHash.Start ? StableHash.Of(text) : StableHash.Mix(hash);
    }

    private static List<Document> Dissimilar(List<Document> documents, CancellationToken cancellation)
    {
        var signatures = Signatures(documents, cancellation);
        ReadOnlySpan<uint> Signature(int i) => signatures.AsSpan(i * MinHash.Length, MinHash.Length);

        // A bucket is a chain through the kept documents of one band value: newest[value] is its head, older[band, document] the next.
        var newest = new Dictionary<ulong, int>();
        var older = new int[Bands * documents.Count];
        var comparedWith = new int[documents.Count];
        var keys = new ulong[Bands];
        var kept = new List<Document>();
        for (var i = 0; i < documents.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var hasWords = Signature(i)[0] != uint.MaxValue;
            if (hasWords)
            {
                BandKeys(Signature(i), keys);
                if (RepeatsKept(i))
                    continue;
                for (var band = 0; band < Bands; band++)
                {
                    ref var head = ref CollectionsMarshal.GetValueRefOrAddDefault(newest, keys[band], out var exists);
                    older[i * Bands + band] = exists ? head : -1;
                    head = i;
                }
            }
            kept.Add(documents[i]);
        }
        return kept;

        bool RepeatsKept(int i)
        {
            for (var band = 0; band < Bands; band++)
            {
                if (!newest.TryGetValue(keys[band], out var other))
                    continue;
                for (; other >= 0; other = older[other * Bands + band])
                {
                    if (comparedWith[other] == i)
                        continue;
                    comparedWith[other] = i;
                    if (MinHash.Matches(Signature(i), Signature(other)) >= RequiredMatches)
                        return true;
                }
            }
            return false;
        }
    }

    private static uint[] Signatures(List<Document> documents, CancellationToken cancellation)
    {
        var signatures = new uint[documents.Count * MinHash.Length];
        var options = new ParallelOptions { CancellationToken = cancellation };
        Parallel.For(
            0,
            documents.Count,
            options,
            () => new List<uint>(),
            (i, _, shingles) =>
            {
                MinHash.Shingles(documents[i].Body, shingles);
                MinHash.Sign(shingles, signatures.AsSpan(i * MinHash.Length, MinHash.Length));
                return shingles;
            },
            _ => { }
        );
        return signatures;
    }

    private static void BandKeys(ReadOnlySpan<uint> signature, Span<ulong> keys)
    {
        for (var band = 0; band < Bands; band++)
        {
            var key = (ulong)band;
            foreach (var value in signature.Slice(band * BandRows, BandRows))
                key = StableHash.Mix(key ^ value);
            keys[band] = key;
        }
    }

    private static void For(int count, CancellationToken cancellation, Action<int> body) =>
        Parallel.For(0, count, new ParallelOptions { CancellationToken = cancellation }, body);
}
