using System.Text;
using System.Text.RegularExpressions;
using Engram.Storage;
using ScottPlot;
using SkiaSharp;

namespace Engram.Studies.Pages;

/// <summary>One line of a chart.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Color">In hex, for example #D55E00.</param>
/// <param name="X">Positions, ascending.</param>
/// <param name="Y">Values at the positions.</param>
/// <param name="Connected">Draws a line; otherwise only markers.</param>
/// <param name="Dashed">Draws the line in dashes: a reference, a fit or a published curve beside measured ones.</param>
public sealed record ChartLine(
    string Name,
    string Color,
    IReadOnlyList<double> X,
    IReadOnlyList<double> Y,
    bool Connected = true,
    bool Dashed = false
)
{
    /// <summary>Half the length of a bar through each point, which shows its noise; null for none.</summary>
    public IReadOnlyList<double>? Noise { get; init; }

    /// <summary>Whether the points of a connected line have markers.</summary>
    public bool Markers { get; init; }
}

/// <summary>
/// A chart of lines, drawn by ScottPlot. Its text in the SVG is ours: Skia needs a font file to write any, which machines without a desktop
/// often lack,
/// and the reader's browser has better ones.
/// </summary>
/// <param name="title">Above the chart.</param>
/// <param name="xTitle">Below the horizontal axis.</param>
/// <param name="yTitle">Beside the vertical axis.</param>
/// <param name="lines">What is drawn, in the order of the legend; at least one point altogether.</param>
internal sealed partial class LineChart(string title, string xTitle, string yTitle, IReadOnlyList<ChartLine> lines)
{
    private const int Width = 820,
        PlotHeight = 420;
    private const int Left = 76,
        Right = 16,
        Below = 52,
        Top = 36;
    private const int LegendLine = 20,
        LegendKey = 34,
        LegendGap = 22;
    private const double CharacterWidth = 7.4; // of 13 px sans-serif text, on the safe side
    private const int LineHeight = 17;

    // Drawn in these colours, and then given to the page, whose theme decides.
    private static readonly (Color Drawn, string Class)[] Themed = [(Color.FromHex("#010203"), "axis"), (Color.FromHex("#020304"), "grid")];
    private const int MaxTicks = 10;

    // Skia's SVG has no dashes: a broken line is drawn whole in a colour of its own, which becomes the line's, with dashes.
    private const string Dashes = "stroke-dasharray=\"7 4\"";

    /// <summary>Whether the horizontal axis counts things: then its numbers are whole.</summary>
    public bool WholeX { get; init; }

    /// <summary>Names instead of numbers along the horizontal axis; null for numbers.</summary>
    public IReadOnlyList<string>? Categories { get; init; }

    /// <summary>Whether the lines are named beside the chart: unless there are categories, which often name them.</summary>
    public bool? Legend { get; init; }

    /// <summary>
    /// Whether the horizontal axis is logarithmic: then it reaches from the smallest position to the largest, all above 0.
    /// </summary>
    public bool LogX { get; init; }

    /// <summary>Whether the vertical axis is logarithmic: then all values are above 0.</summary>
    public bool LogY { get; init; }

    /// <summary>Whether a horizontal axis of numbers begins at 0; otherwise a little left of the first point.</summary>
    public bool FromZero { get; init; } = true;

    /// <summary>The whole range of values; null for the part that matters after the first fifth.</summary>
    public (double Bottom, double Top)? Values { get; init; }

    /// <summary>The chart with its sentence below, as an element of <see cref="Html.Page"/>, whose theme colours it.</summary>
    /// <param name="caption">What is seen; plain text.</param>
    public string Figure(string caption) =>
        $"<figure><div class=\"wide\">{Svg()}</div><figcaption>{Html.Escape(caption)}</figcaption></figure>\n";

    /// <summary>
    /// The chart as one svg element that refers to nothing outside it. The legend stands below the plot, so that it never covers a line.
    /// </summary>
    public string Svg()
    {
        using var plot = Draw(text: false);
        var svg = plot.GetSvgXml(Width, Height);
        var body = svg[svg.IndexOf("<svg", StringComparison.Ordinal)..svg.LastIndexOf("</svg>", StringComparison.Ordinal)];
        var (legend, rows) = LegendBelow();
        return $"{Scalable(WithDashes(WithTheme(WithOwnIds(body))), Height + (rows * LegendLine))}{Labels(plot)}{legend}</svg>";
    }

    /// <summary>The chart as a picture.</summary>
    /// <returns>False, and no file, on a machine without fonts: a chart without numbers says nothing.</returns>
    public bool TryWritePng(string path)
    {
        if (SKTypeface.Default.GlyphCount == 0)
            return false;
        using var plot = Draw(text: true);
        plot.ScaleFactor = 2;
        AtomicFile.WriteAllBytes(path, plot.GetImageBytes(2 * Width, 2 * Height, ImageFormat.Png));
        return true;
    }

    private Plot Draw(bool text)
    {
        var plot = new Plot();
        foreach (var (number, line) in lines.Index())
        {
            var color = line.Dashed && !text ? StandIn(number) : Color.FromHex(line.Color);
            var scatter = plot.Add.Scatter(OnAxis(line.X, LogX), OnAxis(line.Y, LogY), color);
            scatter.LegendText = line.Name;
            scatter.MarkerColor = Color.FromHex(line.Color);
            scatter.LineWidth = line.Connected ? 2 : 0;
            scatter.LinePattern = line.Dashed && text ? LinePattern.Dashed : LinePattern.Solid;
            scatter.MarkerSize =
                !line.Connected ? 9
                : line.Markers ? 7
                : 0;
            if (line.Noise is { } noise)
            {
                var bars = plot.Add.ErrorBar(OnAxis(line.X, LogX), OnAxis(line.Y, LogY), [.. noise]);
                bars.Color = Color.FromHex(line.Color);
                bars.LineWidth = 1.5f;
            }
        }
        var (bottom, top) = LogY ? LogRange(lines.SelectMany(line => line.Y)) : Values ?? Range();
        var x = lines.SelectMany(line => line.X);
        var (left, right) =
            LogX ? LogRange(x)
            : Categories is not null ? (-0.5, Categories.Count - 0.5)
            : FromZero ? (0, x.Max() * 1.02)
            : (x.Min() - (0.03 * (x.Max() - x.Min())), x.Max() + (0.03 * (x.Max() - x.Min())));
        plot.Axes.SetLimits(left, right, bottom, top);
        plot.Axes.Left.TickGenerator = LogY
            ? Powers(bottom, top)
            : new ScottPlot.TickGenerators.NumericFixedInterval(Interval(top - bottom));
        plot.Axes.Bottom.TickGenerator =
            LogX ? Powers(left, right)
            : Categories is null
                ? new ScottPlot.TickGenerators.NumericFixedInterval(WholeX ? Math.Max(1, Interval(x.Max())) : Interval(x.Max()))
            : new ScottPlot.TickGenerators.NumericManual(
                [.. Enumerable.Range(0, Categories.Count).Select(i => (double)i)],
                [.. Categories]
            );
        plot.Axes.Top.IsVisible = plot.Axes.Right.IsVisible = false;
        if (text)
        {
            plot.Title(title);
            plot.XLabel(xTitle);
            plot.YLabel(yTitle);
            if (HasLegend)
                plot.ShowLegend(Edge.Bottom);
            // Skia's default is any font at all, often a serif one.
            if (SKFontManager.Default.FontFamilies.Where(name => name.Contains("Sans")).MinBy(name => name.Length) is { } sans)
                plot.Font.Set(sans);
        }
        else
        {
            plot.Layout.Fixed(new PixelPadding(Left, Right, Bottom, Top));
            plot.FigureBackground.Color = plot.DataBackground.Color = Colors.Transparent;
            plot.Axes.Color(Themed[0].Drawn);
            plot.Grid.MajorLineColor = Themed[1].Drawn;
            plot.Axes.Left.TickLabelStyle.IsVisible = plot.Axes.Bottom.TickLabelStyle.IsVisible = false;
            plot.HideLegend();
        }
        return plot;
    }

    /// <summary>
    /// From below the smallest value up to the largest one of the part that matters: the fall in the first fifth would press all that
    /// follows flat.
    /// </summary>
    private (double Bottom, double Top) Range()
    {
        var start = Categories is null ? lines.SelectMany(line => line.X).Max() / 5 : double.NegativeInfinity;
        var points = lines.SelectMany(line => line.X.Zip(line.Y)).Where(point => double.IsFinite(point.Second)).ToList();
        var shown = points
            .Where(point => point.First >= start)
            .Select(point => point.Second)
            .DefaultIfEmpty(points.Max(point => point.Second))
            .ToList();
        var (low, high) = (points.Min(point => point.Second), shown.Max());
        var margin = Math.Max(0.05 * (high - low), 0.01);
        return (low - margin, high + margin);
    }

    private static double[] OnAxis(IReadOnlyList<double> values, bool logarithmic) =>
        [.. values.Select(value => logarithmic ? Math.Log10(value) : value)];

    /// <summary>Exponents of ten, with a little air on both sides.</summary>
    private static (double Low, double High) LogRange(IEnumerable<double> values)
    {
        var exponents = values.Select(Math.Log10).ToList();
        var (low, high) = (exponents.Min(), exponents.Max());
        var air = Math.Max(0.02 * (high - low), 0.05);
        return (low - air, high + air);
    }

    /// <summary>A tick at every power of ten; at 1, 2 and 5 times each where the axis spans less than two.</summary>
    private static ScottPlot.TickGenerators.NumericManual Powers(double low, double high)
    {
        var steps = high - low < 2 ? (int[])[1, 2, 5] : [1];
        var values = Enumerable
            .Range((int)Math.Floor(low), (int)Math.Ceiling(high) - (int)Math.Floor(low) + 1)
            .SelectMany(exponent => steps.Select(step => step * Math.Pow(10, exponent)))
            .Where(value => Math.Log10(value) >= low && Math.Log10(value) <= high)
            .ToList();
        return new([.. values.Select(Math.Log10)], [.. values.Select(Label)]);

        static string Label(double value) =>
            value is >= 0.001 and < 1e6
                ? value.ToString(value < 1 ? "0.###" : "#,0", System.Globalization.CultureInfo.InvariantCulture)
                : value.ToString("0e0", System.Globalization.CultureInfo.InvariantCulture);
    }

    // 1, 2 or 5 times a power of ten.
    private static double Interval(double range)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(range / MaxTicks)));
        return new[] { 1, 2, 5, 10 }.Select(factor => factor * power).First(interval => range / interval <= MaxTicks);
    }

    private double Slot => (Width - Left - Right) / (double)Categories!.Count;

    [GeneratedRegex("(?<=[- ])")]
    private static partial Regex Breaks();

    /// <summary>A name of a category, broken behind hyphens and spaces where it is wider than its place.</summary>
    private List<string> Lines(string category)
    {
        List<string> broken = [];
        foreach (var part in Breaks().Split(category))
            if (broken.Count > 0 && (broken[^1].Length + part.Length) * CharacterWidth <= Slot)
                broken[^1] += part;
            else
                broken.Add(part);
        return broken;
    }

    private int MoreLines => Categories is null ? 0 : LineHeight * (Categories.Max(category => Lines(category).Count) - 1);

    private int Height => PlotHeight + MoreLines;

    private int Bottom => Below + MoreLines;

    private bool HasLegend => Legend ?? Categories is null;

    private string Scalable(string svg, int height) =>
        svg.Replace($"width=\"{Width}\" height=\"{Height}\">", $"viewBox=\"0 0 {Width} {height}\" role=\"img\">");

    /// <summary>
    /// Skia counts its clip paths over the whole process: the same chart would differ from call to call, and two charts of a page could
    /// share a name.
    /// </summary>
    private string WithOwnIds(string svg)
    {
        var prefix = string.Concat(title.Where(char.IsAsciiLetterOrDigit));
        foreach (var (number, id) in Identifiers().Matches(svg).Select(match => match.Groups[1].Value).Distinct().Index())
            svg = svg.Replace($"\"{id}\"", $"\"{prefix}{number}\"", StringComparison.Ordinal)
                .Replace($"#{id})", $"#{prefix}{number})", StringComparison.Ordinal);
        return svg;
    }

    [GeneratedRegex("\\bid=\"([^\"]+)\"")]
    private static partial Regex Identifiers();

    private static string WithTheme(string svg) =>
        Themed.Aggregate(
            svg,
            (so, themed) =>
                so.Replace($"stroke=\"{themed.Drawn.ToHex()}\"", $"class=\"{themed.Class}\"", StringComparison.OrdinalIgnoreCase)
        );

    private static Color StandIn(int line) => Color.FromHex($"#03{line:x2}04");

    private string WithDashes(string svg) =>
        lines
            .Index()
            .Where(line => line.Item.Dashed)
            .Aggregate(
                svg,
                (so, line) =>
                    so.Replace(
                        $"stroke=\"{StandIn(line.Index).ToHex()}\"",
                        $"stroke=\"{line.Item.Color}\" {Dashes}",
                        StringComparison.OrdinalIgnoreCase
                    )
            );

    /// <summary>Keys and names, as many in a row as fit.</summary>
    private (string Svg, int Rows) LegendBelow()
    {
        if (!HasLegend)
            return ("", 0);
        var text = new StringBuilder("<g font-family=\"system-ui, sans-serif\" font-size=\"13\">");
        var (x, row) = ((double)Left, 0);
        // A fit has the colour of its points and no name of its own.
        foreach (var line in lines.Where(line => line.Name.Length > 0))
        {
            var width = LegendKey + (line.Name.Length * CharacterWidth) + LegendGap;
            if (x > Left && x + width > Width)
                (x, row) = (Left, row + 1);
            var y = Height + (row * LegendLine) + 8;
            text.Append(
                line.Connected
                    ? $"<path d=\"M{x:0.#} {y}h26\" stroke=\"{line.Color}\" stroke-width=\"3\"{(line.Dashed ? " " + Dashes : "")}/>"
                    : $"<circle cx=\"{x + 13:0.#}\" cy=\"{y}\" r=\"4.5\" fill=\"{line.Color}\"/>"
            );
            text.Append($"<text x=\"{x + LegendKey:0.#}\" y=\"{y + 5}\">{Html.Escape(line.Name)}</text>");
            x += width;
        }
        return (text.Append("</g>").ToString(), row + 1);
    }

    private string Labels(Plot plot)
    {
        var data = new PixelRect(Left, Width - Right, Height - Bottom, Top);
        var text = new StringBuilder("<g font-family=\"system-ui, sans-serif\" font-size=\"13\">");
        foreach (
            var tick in plot.Axes.Bottom.TickGenerator.Ticks.Where(tick => tick.IsMajor && plot.Axes.Bottom.Range.Contains(tick.Position))
        )
        foreach (var (number, line) in (Categories is null ? [tick.Label] : Lines(tick.Label)).Index())
            Text(plot.Axes.Bottom.GetPixel(tick.Position, data), Height - Bottom + 20 + (number * LineHeight), "middle", line);
        foreach (var tick in plot.Axes.Left.TickGenerator.Ticks.Where(tick => tick.IsMajor && plot.Axes.Left.Range.Contains(tick.Position)))
            Text(Left - 8, plot.Axes.Left.GetPixel(tick.Position, data) + 4, "end", tick.Label);
        Text(Left, Top - 14, "start", title, "font-weight=\"600\"");
        Text((Left + Width - Right) / 2f, Height - 10, "middle", xTitle);
        Text(0, 0, "middle", yTitle, $"transform=\"translate(16 {(Top + Height - Bottom) / 2}) rotate(-90)\"");
        return text.Append("</g>").ToString();

        void Text(float x, float y, string anchor, string content, string more = "") =>
            text.Append($"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" {more}>{Html.Escape(content)}</text>");
    }
}
