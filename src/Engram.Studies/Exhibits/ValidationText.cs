using Engram.Corpora;

namespace Engram.Studies.Exhibits;

/// <summary>Text that no model was trained on.</summary>
internal static class ValidationText
{
    private const int Searched = 1 << 16;

    /// <summary>
    /// The beginning of the first validation document that is at least that long; of the longest one looked at if none is.
    /// </summary>
    /// <param name="corpus">Stays the caller's.</param>
    /// <param name="tokens">Length in tokens, the document's start not counted.</param>
    public static string Opening(PreparedCorpus corpus, int tokens) => Openings(corpus, tokens).First();

    /// <summary>
    /// Like <see cref="Opening"/>, of the document whose beginning is most like running text: the largest share of letters and spaces.
    /// </summary>
    public static string ProseOpening(PreparedCorpus corpus, int tokens) =>
        Openings(corpus, tokens).MaxBy(text => text.Count(unit => char.IsLetter(unit) || unit == ' ') / (double)text.Length)!;

    private static IEnumerable<string> Openings(PreparedCorpus corpus, int tokens)
    {
        var ids = new int[(int)Math.Min(Searched, corpus.Validation.Count)];
        var starts = new bool[ids.Length];
        corpus.Validation.CopyTo(0, ids);
        corpus.Validation.CopyDocumentStartsTo(0, starts);
        // The document that the searched part ends in counts as far as it is there.
        int[] firsts = [.. Enumerable.Range(0, ids.Length).Where(i => starts[i]), ids.Length];
        var documents = firsts.Zip(firsts.Skip(1), (first, next) => (First: first, Length: next - first - 1)).ToList();
        var longEnough = documents
            .Where(document => document.Length >= tokens)
            .DefaultIfEmpty(documents.MaxBy(document => document.Length));
        // A token may end within a character.
        return longEnough.Select(document =>
            corpus.Tokenizer.Decode(ids.AsSpan(document.First + 1, Math.Min(tokens, document.Length))).TrimEnd('\uFFFD')
        );
    }
}
