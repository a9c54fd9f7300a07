using System.Text;
using Engram.Evaluation.Losses;
using Engram.Models.Memory;
using Engram.Torch;

namespace Engram.Evaluation.LongPpl;

/// <summary>What one text says of a model.</summary>
/// <param name="Text">Its name.</param>
/// <param name="Tokens">Predicted tokens.</param>
/// <param name="Nats">Mean loss over them.</param>
/// <param name="KeyTokens">Tokens within key intervals.</param>
/// <param name="KeyNats">Mean loss over those; null where there is none.</param>
public sealed record LongText(string Text, int Tokens, double Nats, int KeyTokens, double? KeyNats);

/// <summary>
/// LongPPL: perplexity over key tokens, which an evaluator chooses. The evaluator may be the model itself or another with another
/// tokenizer: what is passed
/// on are intervals of characters.
/// </summary>
public static class LongPerplexity
{
    /// <summary>The largest part of a text that has at most so many tokens.</summary>
    public static string Cut(Tokenization.Tokenizer tokenizer, string text, int tokens)
    {
        var offsets = TokenOffsets.Of(tokenizer, text);
        return offsets.Ids.Length <= tokens ? text : text[..(tokens == 0 ? 0 : offsets.Units[tokens - 1])];
    }

    /// <summary>
    /// The key intervals of a text by an evaluator, which reads the token that begins documents before it. They are those of the part of
    /// the
    /// text that its context has room for.
    /// </summary>
    /// <param name="evaluator">Reads the text, and each part of it again after a short context.</param>
    /// <param name="text">A text.</param>
    /// <param name="memory">The memory to read.</param>
    /// <param name="window">What is read again; <see cref="KeyWindow.Published"/> if null.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static IReadOnlyList<TextInterval> KeyIntervals(
        LanguageModel evaluator,
        string text,
        MemoryBank? memory,
        KeyWindow? window = null,
        CancellationToken cancellation = default
    )
    {
        window ??= KeyWindow.Published;
        int[] start = evaluator.Configuration.StartTokenId is { } id ? [id] : [];
        var room = evaluator.Configuration.MaxPositionEmbeddings - start.Length;
        var offsets = TokenOffsets.Of(evaluator.Tokenizer, Cut(evaluator.Tokenizer, text, room));
        int[] ids = [.. start, .. offsets.Ids];
        if (ids.Length <= window.ShortContext)
            return [];
        var full = TokenLosses.Of(evaluator, ids, 1, memory, cancellation);
        return Intervals(
            offsets,
            start.Length,
            KeyTokens.Find(
                ids.Length,
                window,
                full,
                block => TokenLosses.Of(evaluator, ids[block.Start..block.End], block.Judged - block.Start, memory, cancellation)
            )
        );
    }

    /// <summary>Where tokens stand of which some were put before the text.</summary>
    internal static IReadOnlyList<TextInterval> Intervals(TokenOffsets offsets, int before, IEnumerable<int> tokens) =>
        TextInterval.Merge(tokens.Select(token => offsets.Intervals[token - before]));

    /// <summary>A model's losses over a text, without a token before it: the first token has none.</summary>
    /// <param name="model">The model.</param>
    /// <param name="name">The text's name.</param>
    /// <param name="text">A text of two tokens or more that fits into its context.</param>
    /// <param name="keys">Key intervals.</param>
    /// <param name="memory">The memory to read.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static LongText Measure(
        LanguageModel model,
        string name,
        string text,
        IReadOnlyList<TextInterval> keys,
        MemoryBank? memory,
        CancellationToken cancellation = default
    )
    {
        var offsets = TokenOffsets.Of(model.Tokenizer, text);
        if (offsets.Ids.Length < 2)
            throw new InvalidDataException($"{name}: a text of {offsets.Ids.Length} tokens has no token to predict. Leave it out.");
        return Summarise(name, offsets, text, TokenLosses.Of(model, offsets.Ids, 1, memory, cancellation), keys);
    }

    /// <summary>
    /// LongPPL of several texts as published (PKU-ML/LongPPL, <c>perplexity</c>): the mean of each text's exp(mean loss over its key
    /// tokens), weighted by their number; null where there is none.
    /// </summary>
    public static double? OfKeys(IReadOnlyCollection<LongText> texts) =>
        texts.Sum(text => (long)text.KeyTokens) is var tokens and > 0
            ? texts.Sum(text => text.KeyTokens * Math.Exp(text.KeyNats ?? 0)) / tokens
            : null;

    /// <summary>exp of the mean loss over all key tokens of all texts; null where there is none.</summary>
    public static double? OfPooledKeys(IReadOnlyCollection<LongText> texts) =>
        texts.Sum(text => (long)text.KeyTokens) is var tokens and > 0
            ? Math.Exp(texts.Sum(text => text.KeyTokens * (text.KeyNats ?? 0)) / tokens)
            : null;

    /// <summary>Perplexity over all tokens, of several texts as <see cref="OfKeys"/>.</summary>
    public static double OfAll(IReadOnlyCollection<LongText> texts) =>
        texts.Sum(text => text.Tokens * Math.Exp(text.Nats)) / texts.Sum(text => (long)text.Tokens);

    /// <summary>Means over all tokens and over those within key intervals.</summary>
    /// <param name="name">The text's name.</param>
    /// <param name="offsets">Its tokens.</param>
    /// <param name="text">The text.</param>
    /// <param name="losses">Losses of the second token and on: the loss of token i has index i − 1.</param>
    /// <param name="keys">Key intervals, ascending.</param>
    internal static LongText Summarise(
        string name,
        TokenOffsets offsets,
        string text,
        IReadOnlyList<double> losses,
        IReadOnlyList<TextInterval> keys
    )
    {
        int[] runes = [.. text.EnumerateRunes().Select(rune => rune.Value)];
        var (key, count, sum) = (0, 0, 0.0);
        for (var token = 1; token < offsets.Ids.Length; token++)
        {
            var part = WithoutSpaceInFront(offsets.Intervals[token], runes);
            while (key < keys.Count && keys[key].End <= part.Start)
                key++;
            if (key == keys.Count || !keys[key].Contains(part))
                continue;
            count++;
            sum += losses[token - 1];
        }
        return new LongText(name, losses.Count, losses.Average(), count, count > 0 ? sum / count : null);
    }

    /// <summary>
    /// Some libraries count the space in front of a word to its token and some do not, and published intervals are of both kinds: it is not
    /// asked where it
    /// lies.
    /// </summary>
    private static TextInterval WithoutSpaceInFront(TextInterval token, int[] runes)
    {
        var start = token.Start;
        while (start < token.End && Rune.IsWhiteSpace(new Rune(runes[start])))
            start++;
        return start == token.End ? token : token with { Start = start };
    }
}
