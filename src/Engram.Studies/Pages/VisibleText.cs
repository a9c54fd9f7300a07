namespace Engram.Studies.Pages;

/// <summary>Text whose white space can be seen, for tables of tokens.</summary>
public static class VisibleText
{
    /// <summary>The same text with signs for space, tab, line ends and all that would steer a terminal.</summary>
    /// <param name="text">For example the text of a token.</param>
    public static string Of(string text) =>
        string.Create(
            text.Length,
            text,
            (shown, from) =>
            {
                for (var i = 0; i < shown.Length; i++)
                    shown[i] = Sign(from[i]);
            }
        );

    /// <summary>
    /// The same text for reading in lines: spaces and line ends stay, but spaces at the end of a line, and all that would steer a terminal,
    /// are signs.
    /// </summary>
    /// <param name="text">For example a prompt.</param>
    public static string Lines(string text)
    {
        var shown = new char[text.Length];
        var trailing = true;
        for (var i = text.Length - 1; i >= 0; i--)
        {
            shown[i] = text[i] == '\n' || (text[i] == ' ' && !trailing) ? text[i] : Sign(text[i]);
            trailing = text[i] == '\n' || (text[i] == ' ' && trailing);
        }
        return new string(shown);
    }

    private static char Sign(char letter) =>
        letter switch
        {
            ' ' => '␣',
            '\n' => '⏎',
            '\t' => '⇥',
            < ' ' => (char)('␀' + letter), // Unicode has a sign for each
            '\u007f' => '␡',
            // The second set of control characters, and those that turn the direction of what follows.
            (>= '\u0080' and < '\u00a0') or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') => '\ufffd',
            _ => letter,
        };
}
