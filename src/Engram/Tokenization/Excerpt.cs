namespace Engram.Tokenization;

/// <summary>Quotes what a file holds in an error message, which must stay readable however long the string is.</summary>
internal static class Excerpt
{
    private const int Longest = 80;

    public static string Of(string text) =>
        text.Length <= Longest ? $"\"{text}\"" : $"\"{text.AsSpan(0, Longest)}…\" ({text.Length} characters)";

    public static string Of(ReadOnlySpan<byte> utf8) => Of(System.Text.Encoding.UTF8.GetString(utf8));
}
