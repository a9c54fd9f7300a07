namespace Engram.Evaluation.LongPpl;

/// <summary>
/// Which tokens need a long context (Fang et al. 2024, "What is wrong with perplexity for long-context language modeling?", arXiv
/// 2410.23771): those that a
/// model predicts well with all of the text before
/// them and much worse with a few thousand tokens of it.
/// </summary>
internal static class KeyTokens
{
    // α and β of the paper's equation, as differences of losses in nats.
    private const double LeastGain = 2;
    private const double MostLoss = 2;

    /// <summary>A window that is read, and the part of it that is judged.</summary>
    /// <param name="Start">First token read.</param>
    /// <param name="Judged">First token judged.</param>
    /// <param name="End">Behind the last token.</param>
    internal readonly record struct Block(int Start, int Judged, int End);

    /// <summary>
    /// The windows of a text: each judges <see cref="KeyWindow.Stride"/> tokens behind <see cref="KeyWindow.ShortContext"/> others, the
    /// last what is left.
    /// </summary>
    /// <param name="tokens">Length of the text.</param>
    /// <param name="window">Lengths.</param>
    public static IEnumerable<Block> Blocks(int tokens, KeyWindow window)
    {
        for (var start = 0; start + window.ShortContext < tokens; start += window.Stride)
            yield return new Block(start, start + window.ShortContext, Math.Min(start + window.ShortContext + window.Stride, tokens));
    }

    /// <summary>The key tokens of a text, ascending.</summary>
    /// <param name="tokens">Length of the text.</param>
    /// <param name="window">Lengths.</param>
    /// <param name="full">Losses of the second token and on after the whole text before each: the loss of token i has index i − 1.</param>
    /// <param name="limited">Losses of the judged tokens of a window.</param>
    public static IEnumerable<int> Find(
        int tokens,
        KeyWindow window,
        IReadOnlyList<double> full,
        Func<Block, IReadOnlyList<double>> limited
    )
    {
        foreach (var block in Blocks(tokens, window))
        {
            var judged = limited(block);
            for (var token = block.Judged; token < block.End; token++)
                if (IsKey(full[token - 1], judged[token - block.Judged]))
                    yield return token;
        }
    }

    /// <summary>Whether a token is key.</summary>
    /// <param name="full">Its loss after the whole text before it.</param>
    /// <param name="limited">Its loss after a short context.</param>
    public static bool IsKey(double full, double limited) => limited - full > LeastGain && full < MostLoss;
}
