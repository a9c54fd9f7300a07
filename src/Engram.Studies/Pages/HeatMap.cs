using System.Globalization;
using System.Text;

namespace Engram.Studies.Pages;

/// <summary>Similarities of the layers of two models as a picture.</summary>
internal static class HeatMap
{
    private const int Cell = 22,
        Margin = 46,
        CharacterWidth = 7;

    /// <summary>Similarities as squares, the first model's layers upwards, the second's to the right.</summary>
    /// <param name="similarity">From 0 to 1, [rows, columns].</param>
    /// <param name="rows">Name of the first model.</param>
    /// <param name="columns">Name of the second.</param>
    /// <param name="first">The number of the first layer.</param>
    /// <param name="caption">What is said before the explanation; plain text.</param>
    public static string Figure(double[,] similarity, string rows, string columns, int first = 0, string caption = "")
    {
        var (m, n) = (similarity.GetLength(0), similarity.GetLength(1));
        var (width, height) = (Margin + (n * Cell) + 8, (m * Cell) + Margin + 8);
        var svg = new StringBuilder(
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" style=\"max-width:{2 * width}px;min-width:{Math.Min(width, 320)}px\" font-size=\"11\" font-family=\"system-ui,sans-serif\">"
        );
        for (var i = 0; i < m; i++)
        for (var j = 0; j < n; j++)
        {
            var (x, y, value) = (Margin + (j * Cell), 4 + ((m - 1 - i) * Cell), similarity[i, j]);
            var opacity = (double.IsFinite(value) ? Math.Clamp(value, 0, 1) : 0).ToString("F3", CultureInfo.InvariantCulture);
            svg.Append(
                $"<rect x=\"{x}\" y=\"{y}\" width=\"{Cell}\" height=\"{Cell}\" fill=\"#D55E00\" fill-opacity=\"{opacity}\" class=\"grid\"><title>layer {i + first} and layer {j + first}: {value.ToString("F4", CultureInfo.InvariantCulture)}</title></rect>"
            );
            svg.Append(
                $"<text x=\"{x + (Cell / 2)}\" y=\"{y + (Cell / 2) + 3}\" text-anchor=\"middle\" font-size=\"8\">{Short(value)}</text>"
            );
        }

        for (var i = 0; i < m; i++)
            svg.Append($"<text x=\"{Margin - 5}\" y=\"{4 + ((m - 1 - i) * Cell) + (Cell * 0.68)}\" text-anchor=\"end\">{i + first}</text>");
        for (var j = 0; j < n; j++)
            svg.Append($"<text x=\"{Margin + (j * Cell) + (Cell / 2)}\" y=\"{(m * Cell) + 18}\" text-anchor=\"middle\">{j + first}</text>");
        var middle = 4 + (m * Cell / 2);
        svg.Append(
            $"<text x=\"12\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {middle})\">{Html.Escape(Axis(rows, m, "first"))}</text>"
        );
        svg.Append(
            $"<text x=\"{Margin + (n * Cell / 2)}\" y=\"{(m * Cell) + 36}\" text-anchor=\"middle\">{Html.Escape(Axis(columns, n, "second"))}</text></svg>"
        );
        return $"<figure><div class=\"wide\">{svg}</div><figcaption>{Html.Escape(caption)}Linear CKA, from 0 (ground) to 1: first {Html.Escape(rows)}, second {Html.Escape(columns)}; the fuller a square, the more the two layers resemble each other.</figcaption></figure>\n";
    }

    /// <summary>A model's name beside its axis, or which of the two it is where the name is longer than the axis.</summary>
    private static string Axis(string name, int layers, string which) => name.Length * CharacterWidth <= layers * Cell ? name : which;

    private static string Short(double value) => double.IsFinite(value) ? value.ToString("F2", CultureInfo.InvariantCulture) : "";
}
