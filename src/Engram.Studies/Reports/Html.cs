using System.Net;

namespace Engram.Studies.Reports;

/// <summary>The page that every report shares: one file, its style inside, nothing fetched.</summary>
internal static class Html
{
    private const string Style = """
        :root { color-scheme: light dark; --ink: #222; --soft: #555; --paper: #fff; --line: #ddd; --strong: #888; --block: #f5f5f3; --link: #0b62a8; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e4e4e0; --soft: #a8a8a4; --paper: #17181a; --line: #3a3b3e; --strong: #777; --block: #222427; --link: #7db8ee; } }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } a { color: var(--link); }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
        th, td { padding: .25rem .8rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
        th:first-child, td:first-child { text-align: left; white-space: nowrap; } thead th { border-bottom: 2px solid var(--strong); font-weight: 600; }
        table.words td { text-align: left; white-space: normal; }
        svg { width: 100%; height: auto; margin: .5rem 0; }
        pre, code { font: 14px/1.45 ui-monospace, monospace; } pre { background: var(--block); padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
        .note { color: var(--soft); font-size: .92rem; } .swatch { display: inline-block; width: .8em; height: .8em; margin-right: .5em; }
        .prompt { color: #888; } .verdict { font-weight: 600; }
        """;

    /// <summary>Text as it may stand between tags and in quoted attributes.</summary>
    public static string Escape(string text) => WebUtility.HtmlEncode(text);

    /// <summary>A whole page.</summary>
    /// <param name="title">Plain text.</param>
    /// <param name="body">Elements.</param>
    public static string Page(string title, string body) => $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{Escape(title)}</title>
        <style>
        {Style}
        </style>
        </head>
        <body>
        {body}
        </body>
        </html>

        """;

    /// <summary>A table; the first column is on the left, numbers are on the right.</summary>
    /// <param name="header">Elements or escaped text, one per column.</param>
    /// <param name="rows">The same for each row.</param>
    public static string Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows) =>
        $"<div class=\"scroll\"><table><thead><tr>{Cells("th", header)}</tr></thead><tbody>{string.Concat(rows.Select(row => $"<tr>{Cells("td", row)}</tr>"))}</tbody></table></div>\n";

    private static string Cells(string tag, IReadOnlyList<string> cells) => string.Concat(cells.Select(cell => $"<{tag}>{cell}</{tag}>"));
}
