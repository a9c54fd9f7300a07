namespace Engram.Tokenization;

/// <summary>One stage of pre-tokenization that changes a piece. Stateless, therefore thread-safe.</summary>
internal abstract class PieceRewriter
{
    /// <summary>Room that the result needs.</summary>
    public abstract int MaxLength(int length);

    /// <summary>Writes the changed piece.</summary>
    /// <param name="piece">Valid UTF-16, not empty.</param>
    /// <param name="destination">At least <see cref="MaxLength"/> units.</param>
    /// <returns>Units written.</returns>
    public abstract int Write(ReadOnlySpan<char> piece, Span<char> destination);
}

/// <summary>Puts a space in front of a piece that has none there.</summary>
internal sealed class PrefixSpace : PieceRewriter
{
    public override int MaxLength(int length) => length + 1;

    public override int Write(ReadOnlySpan<char> piece, Span<char> destination)
    {
        var added = piece[0] == ' ' ? 0 : 1;
        destination[0] = ' ';
        piece.CopyTo(destination[added..]);
        return piece.Length + added;
    }
}

/// <summary>The characters that stand for the bytes of a piece, where a stage follows that sees them.</summary>
internal sealed class ByteSymbols : PieceRewriter
{
    public override int MaxLength(int length) => length * 3;

    public override int Write(ReadOnlySpan<char> piece, Span<char> destination)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var written = 0;
        foreach (var rune in piece.EnumerateRunes())
        foreach (var value in utf8[..rune.EncodeToUtf8(utf8)])
            destination[written++] = ByteLevelAlphabet.Symbol(value);
        return written;
    }
}

/// <summary>
/// Hugging Face's Metaspace, without its splitting: another character in the place of spaces, and one in front of a piece that has none
/// there.
/// </summary>
internal sealed class SpaceReplacement(char replacement, bool prefix) : PieceRewriter
{
    public override int MaxLength(int length) => length + 1;

    public override int Write(ReadOnlySpan<char> piece, Span<char> destination)
    {
        var added = prefix && piece[0] != ' ' && piece[0] != replacement ? 1 : 0;
        destination[0] = replacement;
        piece.Replace(destination[added..], ' ', replacement);
        return piece.Length + added;
    }
}
