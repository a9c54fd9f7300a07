namespace Engram.Corpora;

/// <summary>
/// Leaves out of training every document that is much like one of validation, so that a loss on validation text says nothing about text that was seen. Similarity is the Jaccard index of
/// the shingle sets of <see cref="MinHash"/>, computed, not estimated: no pair at or above <see cref="Threshold"/> remains across the split. Validation stays as it was drawn.
/// Pairs are found by prefix filtering (Bayardo, Ma and Srikant 2007): of two sets with |A ∩ B| ≥ t·|A ∪ B|, in any common order of all shingles, the first |A| − ⌈t·|A|⌉ + 1 of A
/// and the first |B| − ⌈t·|B|⌉ + 1 of B have one in common. With the shingles that are rare in validation first, few other pairs have.
/// </summary>
internal static class Decontamination
{
    /// <summary>Training documents at or above this Jaccard similarity with a validation document are left out.</summary>
    internal const double Threshold = 0.5;

    /// <summary>The training documents that remain, in the order given.</summary>
    internal static List<Document> Remove(List<Document> training, List<Document> validation, CancellationToken cancellation = default)
    {
        var options = new ParallelOptions { CancellationToken = cancellation };
        var sets = new uint[validation.Count][];
        Parallel.For(0, sets.Length, options, () => new List<uint>(), (i, _, shingles) =>
        {
            sets[i] = Set(validation[i], shingles);
            return shingles;
        }, _ => { });

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

        var kept = new bool[training.Count];
        Parallel.For(0, training.Count, options, () => new List<uint>(), (i, _, shingles) =>
        {
            var set = Set(training[i], shingles);
            var sorted = set.ToArray();
            Array.Sort(set, order);
            kept[i] = !IsLikeAny(sorted, Prefix(set));
            return shingles;
        }, _ => { });
        return [.. training.Where((_, i) => kept[i])];

        bool IsLikeAny(uint[] sorted, ReadOnlySpan<uint> prefix)
        {
            var compared = new HashSet<int>();
            foreach (var shingle in prefix)
                foreach (var other in index.GetValueOrDefault(shingle, []))
                    if (compared.Add(other) && Jaccard(sorted, sets[other]) >= Threshold)
                        return true;
            return false;
        }
    }

    /// <summary>|A ∩ B| / |A ∪ B| of ascending sets, of which one is not empty.</summary>
    private static double Jaccard(ReadOnlySpan<uint> a, ReadOnlySpan<uint> b)
    {
        var common = 0;
        for (var (i, j) = (0, 0); i < a.Length && j < b.Length;)
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
