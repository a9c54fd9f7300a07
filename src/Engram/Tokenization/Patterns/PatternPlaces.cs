using System.Text;

namespace Engram.Tokenization.Patterns;

/// <summary>Conditions on a place, as Oniguruma defines them.</summary>
internal static class PatternPlaces
{
    private static readonly RuneSet Word = new(UnicodeProperties.LoneWord);

    public static bool Holds(Place place, ReadOnlySpan<char> text, int at, int searchStart) =>
        place switch
        {
            Place.TextStart => at == 0,
            Place.TextEnd => at == text.Length,
            Place.LastLineEnd => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
            // A line feed that ends the text begins no line.
            Place.LineStart => at == 0 || (text[at - 1] == '\n' && at < text.Length),
            Place.LineEnd => at == text.Length || text[at] == '\n',
            Place.WordBoundary => IsWordBefore(text, at) != IsWordAt(text, at),
            Place.NoWordBoundary => IsWordBefore(text, at) == IsWordAt(text, at),
            _ => at == searchStart,
        };

    private static bool IsWordAt(ReadOnlySpan<char> text, int at) => Word.LengthAt(text, at) > 0;

    private static bool IsWordBefore(ReadOnlySpan<char> text, int at) =>
        Rune.DecodeLastFromUtf16(text[..at], out var rune, out _) == System.Buffers.OperationStatus.Done && Word.Contains(rune.Value);
}
