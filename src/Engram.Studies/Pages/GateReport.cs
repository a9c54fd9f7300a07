using System.Text;
using Engram.Evaluation.Inspection;

namespace Engram.Studies.Pages;

/// <summary>Shows in HTML what the memory of a model did with a text: each token shaded by its gate, with its n-grams and rows.</summary>
public static class GateReport
{
    /// <summary>How text before the beginning is shown.</summary>
    public const string Padding = "∅";

    /// <summary>A whole page: one file, nothing fetched.</summary>
    /// <param name="title">Plain text.</param>
    /// <param name="inspection">What to show.</param>
    public static string Page(string title, MemoryInspection inspection) =>
        Html.Page(title, $"<h1>{Html.Escape(title)}</h1>\n{Section(inspection)}");

    /// <summary>The same as elements for another report. They bring their style along.</summary>
    /// <param name="inspection">What to show.</param>
    public static string Section(MemoryInspection inspection)
    {
        var page = new StringBuilder(
            "<p class=\"note\">The stronger the colour of a token, the more of the memory read there enters the residual streams (gate 0 to 1, "
                + $"mean of {inspection.Streams} stream(s)). "
                + $"Its tooltip shows gates, n-grams and table rows; {Padding} stands for the time before the text.</p>\n"
        );
        foreach (var layer in inspection.Layers)
        {
            page.Append($"<h2>Layer {layer.Layer}, counted from 0</h2>\n");
            Shaded(page, inspection, layer, position => inspection.MeanGate(layer, position));
            if (inspection.Streams > 1)
            {
                page.Append("<details><summary>Each stream</summary>\n");
                for (var stream = 0; stream < inspection.Streams; stream++)
                {
                    page.Append($"<p class=\"note\">Stream {stream}</p>\n");
                    var index = stream;
                    Shaded(page, inspection, layer, position => layer.Gate[(position * inspection.Streams) + index]);
                }
                page.Append("</details>\n");
            }
            page.Append("<details><summary>N-grams and rows</summary>\n")
                .Append(
                    Html.Table(
                        ["position", "token", "gate", .. inspection.Orders.Select(order => $"{order}-gram: rows")],
                        Positions(inspection).Select(position => Cells(inspection, layer, position))
                    )
                )
                .Append("</details>\n");
        }
        return page.ToString();
    }

    /// <summary>The n-gram of one order that ends at a position, white space made visible.</summary>
    /// <param name="inspection">What was recorded.</param>
    /// <param name="position">From 0.</param>
    /// <param name="order">2 to the largest order.</param>
    public static string Ngram(MemoryInspection inspection, int position, int order) =>
        string.Join('·', inspection.Ngram(position, order).Select(token => token is null ? Padding : VisibleText.Of(token)));

    private static void Shaded(StringBuilder page, MemoryInspection inspection, InspectedLayer layer, Func<int, double> gate)
    {
        page.Append("<p style=\"font-family:ui-monospace,monospace;line-height:1.9;overflow-wrap:anywhere\">");
        foreach (var position in Positions(inspection))
        {
            var text = inspection.TokenText(position);
            page.Append(
                    $"<span style=\"background:rgba(213,94,0,{gate(position):F2})\" "
                        + $"title=\"{Html.Escape(Tooltip(inspection, layer, position))}\">"
                )
                .Append(Html.Escape(text.Replace("\n", "⏎")))
                .Append("</span>");
            if (text.Contains('\n'))
                page.Append("<br>");
        }
        page.Append("</p>\n");
    }

    private static string Tooltip(MemoryInspection inspection, InspectedLayer layer, int position) =>
        $"position {position}, token {inspection.TokenIds[position]}, canonical {inspection.CanonicalIds[position]}\n"
        + $"gate {GateText(inspection, layer, position)}\n"
        + string.Join(
            '\n',
            inspection.Orders.Select(order => $"{Ngram(inspection, position, order)}: {RowText(inspection, layer, position, order)}")
        );

    private static IReadOnlyList<string> Cells(MemoryInspection inspection, InspectedLayer layer, int position) =>
        [
            $"{position}",
            $"<code>{Html.Escape(VisibleText.Of(inspection.TokenText(position)))}</code>",
            GateText(inspection, layer, position),
            .. inspection.Orders.Select(order =>
                $"<code>{Html.Escape(Ngram(inspection, position, order))}</code><br>{RowText(inspection, layer, position, order)}"
            ),
        ];

    private static string GateText(MemoryInspection inspection, InspectedLayer layer, int position) =>
        string.Join(' ', inspection.Gates(layer, position).ToArray().Select(gate => $"{gate:F2}"));

    private static string RowText(MemoryInspection inspection, InspectedLayer layer, int position, int order) =>
        string.Join(' ', inspection.Rows(layer, position, order).ToArray());

    private static IEnumerable<int> Positions(MemoryInspection inspection) => Enumerable.Range(0, inspection.TokenIds.Count);
}
