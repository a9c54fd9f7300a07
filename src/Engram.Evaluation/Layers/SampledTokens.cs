using System.Text;
using Engram.Corpora;
using Engram.Torch;

namespace Engram.Evaluation.Layers;

/// <summary>Token ids to be read as one sequence, and the positions whose states are asked for.</summary>
/// <param name="Ids">Token ids, [T].</param>
/// <param name="DocumentStarts">True at the first token of each document, [T].</param>
/// <param name="Positions">The positions, [P], ascending.</param>
/// <param name="Samples">
/// What stands at each of them, [P]: equal numbers are the same place of the same text, whatever the tokenizer.
/// </param>
public sealed record SampledTokens(int[] Ids, bool[] DocumentStarts, int[] Positions, long[] Samples)
{
    private const int MostMarksOfAText = 1 << 20;

    /// <summary>
    /// Texts as a model reads them, each behind the token that begins a document; what does not fit into the context is cut off.
    /// </summary>
    /// <param name="model">Gives tokenizer and context.</param>
    /// <param name="texts">The texts.</param>
    /// <exception cref="InvalidDataException">The tokens of a text do not spell it, so that its places are in none of them.</exception>
    public static IEnumerable<SampledTokens> Of(LanguageModel model, IEnumerable<MarkedText> texts)
    {
        var number = 0L;
        foreach (var text in texts)
            yield return Of(model, text, number++ * MostMarksOfAText);
    }

    /// <summary>The validation part of prepared data, every position a sample.</summary>
    /// <param name="corpus">Prepared data.</param>
    /// <param name="sequences">At most this many sequences, evenly spaced.</param>
    /// <param name="length">Tokens of one.</param>
    /// <exception cref="InvalidDataException">It is shorter than one sequence.</exception>
    public static IEnumerable<SampledTokens> Of(PreparedCorpus corpus, int sequences, int length)
    {
        var number = 0L;
        foreach (var batch in new ValidationBatches(corpus, sequences, batchSequences: 1, length))
        {
            var first = number++ * MostMarksOfAText;
            yield return new SampledTokens(
                [.. batch.Inputs],
                [.. batch.DocumentStarts],
                [.. Enumerable.Range(0, length)],
                [.. Enumerable.Range(0, length).Select(i => first + i)]
            );
        }
    }

    private static SampledTokens Of(LanguageModel model, MarkedText text, long firstSample)
    {
        int[] start = model.Configuration.StartTokenId is { } id ? [id] : [];
        int[] ids = [.. start, .. model.Tokenizer.Encode(text.Text)];
        var (positions, samples) = (new List<int>(), new List<long>());
        // The token of a place is the one that holds its last byte.
        var (position, spelt, behind) = (start.Length - 1, 0, 0);
        var at = 0;
        for (var mark = 0; mark < text.Ends.Count; mark++)
        {
            behind += Encoding.UTF8.GetByteCount(text.Text.AsSpan(at, text.Ends[mark] - at));
            at = text.Ends[mark];
            while (spelt < behind && ++position < ids.Length)
                spelt += model.Tokenizer.TokenBytes(ids[position]).Length;
            positions.Add(position);
            samples.Add(firstSample + mark);
        }

        if (ids.Skip(start.Length).Sum(token => model.Tokenizer.TokenBytes(token).Length) != Encoding.UTF8.GetByteCount(text.Text))
            throw new InvalidDataException(
                "The tokens of a text do not spell it, so that no token can be said to end a name: "
                    + $"\"{text.Text[..Math.Min(40, text.Text.Length)]}…\""
            );
        var length = Math.Min(ids.Length, model.Configuration.MaxPositionEmbeddings);
        var kept = positions.Count(place => place < length);
        return new SampledTokens(
            ids[..length],
            model.Transformer.Documents.Starts(ids.AsSpan(0, length)),
            [.. positions.Take(kept)],
            [.. samples.Take(kept)]
        );
    }
}
