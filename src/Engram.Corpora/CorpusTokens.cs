using Engram.Tokenization;

namespace Engram.Corpora;

/// <summary>
/// A corpus as token ids, piece by piece, in bounded memory: prepared data as they are stored, or text that is encoded on the way.
/// </summary>
public static class CorpusTokens
{
    private const int IdsPerPiece = 1 << 16;
    private const int DocumentsPerPiece = 1024;

    /// <summary>Consecutive ids of a corpus.</summary>
    /// <param name="Ids">Token ids [T].</param>
    /// <param name="DocumentStarts">Whether a document starts at each id [T].</param>
    public readonly record struct Piece(ReadOnlyMemory<int> Ids, ReadOnlyMemory<bool> DocumentStarts);

    /// <summary>The training part of prepared data, then the validation part.</summary>
    /// <param name="corpus">Stays open and the caller's.</param>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    public static IEnumerable<Piece> Read(PreparedCorpus corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        foreach (var stream in (TokenStream[])[corpus.Training, corpus.Validation])
            for (var from = 0L; from < stream.Count; from += IdsPerPiece)
            {
                var length = (int)Math.Min(IdsPerPiece, stream.Count - from);
                var (ids, starts) = (new int[length], new bool[length]);
                stream.CopyTo(from, ids);
                stream.CopyDocumentStartsTo(from, starts);
                yield return new Piece(ids, starts);
            }
    }

    /// <summary>All documents of a source, duplicates included, each behind one more token, as in training.</summary>
    /// <param name="source">The text.</param>
    /// <param name="tokenizer">Encodes it.</param>
    /// <param name="beforeDocument">The id before each document: the model's beginning-of-sequence token.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="InvalidDataException">A file cannot be read as text.</exception>
    public static IEnumerable<Piece> Read(
        CorpusSource source,
        Tokenizer tokenizer,
        int beforeDocument,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var encoder = new DocumentEncoder(tokenizer);
        foreach (var documents in source.Read(cancellation: cancellation).Chunk(DocumentsPerPiece))
        {
            var encoded = new int[documents.Length][];
            Parallel.For(
                0,
                documents.Length,
                new ParallelOptions { CancellationToken = cancellation },
                () => new List<int>(),
                (i, _, ids) =>
                {
                    encoder.Encode(documents[i].Text, ids);
                    encoded[i] = [beforeDocument, .. ids];
                    return ids;
                },
                _ => { }
            );
            var starts = new bool[encoded.Sum(ids => ids.Length)];
            for (int i = 0, at = 0; i < encoded.Length; at += encoded[i++].Length)
                starts[at] = true;
            yield return new Piece(encoded.SelectMany(ids => ids).ToArray(), starts);
        }
    }
}
