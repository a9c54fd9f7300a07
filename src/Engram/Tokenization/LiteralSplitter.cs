namespace Engram.Tokenization;

/// <summary>Hugging Face's Split with a plain string: isolates every occurrence.</summary>
/// <param name="literal">Not empty; compared by code unit.</param>
internal sealed class LiteralSplitter(string literal) : TextSplitter
{
    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var at = text[start..].IndexOf(literal, StringComparison.Ordinal);
        return at switch { < 0 => text.Length, 0 => start + literal.Length, _ => start + at };
    }
}
