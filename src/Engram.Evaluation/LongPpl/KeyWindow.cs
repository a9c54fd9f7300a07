namespace Engram.Evaluation.LongPpl;

/// <summary>What an evaluator reads again to find the tokens that need a long context.</summary>
/// <param name="ShortContext">Tokens of the short context at least; the first so many tokens of a text are never key.</param>
/// <param name="Stride">Tokens that are judged after one reading of a short context.</param>
public sealed record KeyWindow(int ShortContext, int Stride)
{
    /// <summary>As published.</summary>
    public static KeyWindow Published { get; } = new(4096, 1024);
}
