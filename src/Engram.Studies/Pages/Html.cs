using System.Net;

namespace Engram.Studies.Pages;

/// <summary>The page that every report shares: one file, its style inside, nothing fetched.</summary>
internal static class Html
{
    private const string Style = """
        :root { color-scheme: light dark; --text: #222; --ground: #fff; --quiet: #5a5a5a; --rule: #ddd; --strong-rule: #888; --code: #f5f5f3; --prompt: #777; }
        @media (prefers-color-scheme: dark) {
          :root { --text: #e4e4e1; --ground: #17181b; --quiet: #a9a9a5; --rule: #3a3b3f; --strong-rule: #8a8a86; --code: #222327; --prompt: #9a9a96; }
        }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
        /* What is wider than the screen scrolls by itself; the page does not. */
        .wide {
          overflow-x: auto; margin: 1rem 0;
          /* A shadow at the side where more is to be seen. */
          background: linear-gradient(to right, var(--ground) 40%, transparent) left / 3rem 100% no-repeat local,
            linear-gradient(to left, var(--ground) 40%, transparent) right / 3rem 100% no-repeat local,
            linear-gradient(to right, var(--rule), transparent) left / .6rem 100% no-repeat scroll,
            linear-gradient(to left, var(--rule), transparent) right / .6rem 100% no-repeat scroll;
        }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { padding: .25rem .8rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; } td { white-space: nowrap; }
        th:first-child, td:first-child { text-align: left; white-space: nowrap; } thead th { border-bottom: 2px solid var(--strong-rule); font-weight: 600; vertical-align: bottom; }
        figure { margin: 1.5rem 0; } figure svg { width: 100%; min-width: 34rem; height: auto; display: block; } figcaption { color: var(--quiet); font-size: .92rem; }
        svg text { fill: var(--text); } svg .axis { stroke: var(--strong-rule); } svg .grid { stroke: var(--rule); }
        pre, code { font: 14px/1.45 ui-monospace, monospace; } pre { background: var(--code); padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
        a { color: light-dark(#0b5cad, #7db8f0); }
        .note { color: var(--quiet); font-size: .92rem; } .swatch { display: inline-block; width: .8em; height: .8em; margin-right: .5em; }
        .prompt { color: var(--prompt); } .verdict { font-weight: 600; } .words th, .words td { text-align: left; white-space: normal; min-width: 6rem; }
        /* On a narrow screen sentences stand below each other instead of side by side. */
        @media (max-width: 40rem) {
          .words thead { display: none; } .words tr, .words td { display: block; } .words td { border: 0; padding: .1rem 0; } .words td:empty { display: none; }
          .words tr { border-bottom: 1px solid var(--rule); padding: .5rem 0; } .words td:first-child { white-space: normal; font-weight: 600; }
        }
        """;

    /// <summary>Text as it may stand between tags and in quoted attributes.</summary>
    public static string Escape(string text) => WebUtility.HtmlEncode(text);

    /// <summary>A whole page.</summary>
    /// <param name="title">Plain text.</param>
    /// <param name="body">Elements.</param>
    public static string Page(string title, string body) =>
        $"""
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
        $"<div class=\"wide\"><table><thead><tr>{Cells("th", header)}</tr></thead><tbody>{string.Concat(rows.Select(row => $"<tr>{Cells("td", row)}</tr>"))}</tbody></table></div>\n";

    /// <summary>A table of sentences, which break where they must.</summary>
    /// <inheritdoc cref="Table"/>
    public static string Words(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows) =>
        Table(header, rows).Replace("<table>", "<table class=\"words\">", StringComparison.Ordinal);

    private static string Cells(string tag, IReadOnlyList<string> cells) => string.Concat(cells.Select(cell => $"<{tag}>{cell}</{tag}>"));
}
