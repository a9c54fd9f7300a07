using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// Leaves out of training every document that is much like one of validation, so that a loss on validation text says nothing about text
/// that was seen. Similarity is the Jaccard index of the shingle sets of <see cref="MinHash"/>, computed, not estimated: no pair at or
/// above <see cref="Threshold"/> remains across the split. Validation stays as it was drawn, unless that would cost too much training text.
/// Pairs are found by prefix filtering (Bayardo, Ma and Srikant 2007): of two sets with |A ∩ B| ≥ t·|A ∪ B|, in any common order of all
/// shingles, the first |A| − ⌈t·|A|⌉ + 1 of A and the first |B| − ⌈t·|B|⌉ + 1 of B have one in common. With the shingles that are rare in
/// validation first, few other pairs have.
/// </summary>
internal static class Decontamination
{
    /// <summary>Training documents at or above this Jaccard similarity with a validation document are left out.</summary>
    internal const double Threshold = 0.5;

    /// <summary>
    /// Both parts without relatives across the split, each in the order given. Where more than a share of training would have to go, the
    /// validation documents with the most relatives go instead, as long as half of validation remains; the share may still be larger in the
    /// end.
    /// </summary>
    /// <param name="training">Documents for training.</param>
    /// <param name="validation">Documents for validation.</param>
    /// <param name="mostLeftOut">The share of training, in [0, 1].</param>
    /// <param name="cancellation">Ends the search.</param>
    internal static (List<Document> Training, List<Document> Validation) Separate(
        List<Document> training,
        List<Document> validation,
        double mostLeftOut,
        CancellationToken cancellation = default
    )
    {
        var least = (validation.Count + 1) / 2;
        while (true)
        {
            var relatives = FirstRelatives(training, validation, cancellation);
            var tooMany = relatives.Count(relative => relative >= 0) - (long)(mostLeftOut * training.Count);
            if (tooMany <= 0 || validation.Count == least)
                return ([.. training.Where((_, i) => relatives[i] < 0)], validation);
            // A training document may have relatives beside its first, so the next round may find it left out again.
            var givenUp = new HashSet<int>();
            foreach (
                var (document, count) in relatives
                    .Where(relative => relative >= 0)
                    .CountBy(relative => relative)
                    .OrderByDescending(entry => entry.Value)
                    .ThenBy(entry => entry.Key)
            )
            {
                if (tooMany <= 0 || validation.Count - givenUp.Count == least)
                    break;
                givenUp.Add(document);
                tooMany -= count;
            }

            validation = [.. validation.Where((_, i) => !givenUp.Contains(i))];
        }
    }

    /// <summary>For each training document, the index of a validation document that is like it, or −1.</summary>
    private static int[] FirstRelatives(List<Document> training, List<Document> validation, CancellationToken cancellation)
    {
        var options = new ParallelOptions { CancellationToken = cancellation };
        var sets = new uint[validation.Count][];
        Parallel.For(
            0,
            sets.Length,
            options,
            () => new List<uint>(),
            (i, _, shingles) =>
            {
                sets[i] = Set(validation[i], shingles);
                return shingles;
            },
            _ => { }
        );

        var frequencies = new Dictionary<uint, int>();
        foreach (var set in sets)
        foreach (var shingle in set)
            frequencies[shingle] = frequencies.GetValueOrDefault(shingle) + 1;
        var order = Comparer<uint>.Create((x, y) => (frequencies.GetValueOrDefault(x), x).CompareTo((frequencies.GetValueOrDefault(y), y)));
        // Validation documents by each shingle of their prefix.
        var index = new Dictionary<uint, List<int>>();
        for (var i = 0; i < sets.Length; i++)
        {
            Array.Sort(sets[i], order);
            foreach (var shingle in Prefix(sets[i]))
                if (index.TryGetValue(shingle, out var documents))
                    documents.Add(i);
                else
                    index[shingle] = [i];
            Array.Sort(sets[i]);
        }

        var first = new int[training.Count];
        Parallel.For(
            0,
            training.Count,
            options,
            () => new List<uint>(),
            (i, _, shingles) =>
            {
                var set = Set(training[i], shingles);
                var sorted = set.ToArray();
                Array.Sort(set, order);
                first[i] = FirstLike(sorted, Prefix(set));
                return shingles;
            },
            _ => { }
        );
        return first;

        int FirstLike(uint[] sorted, ReadOnlySpan<uint> prefix)
        {
            var compared = new HashSet<int>();
            foreach (var shingle in prefix)
            foreach (var other in index.GetValueOrDefault(shingle, []))
                if (compared.Add(other) && Jaccard(sorted, sets[other]) >= Threshold)
                    return other;
            return -1;
        }
    }

    /// <summary>|A ∩ B| / |A ∪ B| of ascending sets, of which one is not empty.</summary>
    private static double Jaccard(ReadOnlySpan<uint> a, ReadOnlySpan<uint> b)
    {
        var common = 0;
        for (var (i, j) = (0, 0); i < a.Length && j < b.Length; )
        {
            if (a[i] == b[j])
                common++;
            var (x, y) = (a[i], b[j]);
            if (x <= y)
                i++;
            if (y <= x)
                j++;
        }
        return (double)common / (a.Length + b.Length - common);
    }

    /// <summary>The shingles of a document, each once, ascending.</summary>
    private static uint[] Set(Document document, List<uint> shingles)
    {
        MinHash.Shingles(document.Body, shingles);
        return [.. shingles.Distinct().Order()];
    }

    private static ReadOnlySpan<uint> Prefix(uint[] ordered) =>
        ordered.AsSpan(0, ordered.Length == 0 ? 0 : ordered.Length - (int)Math.Ceiling(Threshold * ordered.Length) + 1);
}
