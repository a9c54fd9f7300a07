namespace Engram.Studies.Reports;

/// <summary>Text whose white space can be seen, for tables of tokens.</summary>
public static class VisibleText
{
    /// <summary>The same text with signs for space, tab and line ends.</summary>
    /// <param name="text">For example the text of a token.</param>
    public static string Of(string text) => text.Replace(' ', '␣').Replace("\n", "⏎").Replace("\r", "␍").Replace("\t", "⇥");
}
