using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// Divides documents, as wholes, into training and validation. The documents whose salted hash is smallest go to validation, so that the
/// share is exact even for a hundred documents, and the choice depends neither on the order of the source nor on names.
/// </summary>
internal static class CorpusSplit
{
    private const ulong SplitSalt = 2;

    /// <summary>Both parts, each in the order given.</summary>
    /// <param name="documents">Without duplicates; at least two.</param>
    /// <param name="validationFraction">
    /// Share of the documents, in (0, 1); rounded to a whole number of documents, at least one on either side.
    /// </param>
    internal static (List<Document> Training, List<Document> Validation) Divide(
        IReadOnlyList<Document> documents,
        double validationFraction
    )
    {
        if (documents.Count < 2)
            throw new ArgumentException($"{documents.Count} documents cannot be divided into training and validation.", nameof(documents));
        var hashes = documents.Select(document => StableHash.Of(document.Text, SplitSalt)).ToArray();
        var count = Math.Clamp((int)Math.Round(documents.Count * validationFraction), 1, documents.Count - 1);
        var bound = hashes.Order().ElementAt(count - 1);
        var parts = documents.Zip(hashes).ToLookup(entry => entry.Second <= bound, entry => entry.First);
        return ([.. parts[false]], [.. parts[true]]);
    }
}
