using System.Text;
using Engram.Storage;
using ScottPlot;
using SkiaSharp;

namespace Engram.Studies.Reports;

/// <summary>One line of a chart.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Color">In hex, for example #D55E00.</param>
/// <param name="X">Positions, ascending.</param>
/// <param name="Y">Values at the positions.</param>
/// <param name="Connected">Draws a line; otherwise only markers.</param>
public sealed record ChartLine(string Name, string Color, IReadOnlyList<double> X, IReadOnlyList<double> Y, bool Connected = true)
{
    /// <summary>Half the length of a bar through each point, which shows its noise; null for none.</summary>
    public IReadOnlyList<double>? Noise { get; init; }

    /// <summary>Whether the points of a connected line have markers.</summary>
    public bool Markers { get; init; }

    /// <summary>Whether the line is broken, as fits are.</summary>
    public bool Dashed { get; init; }
}

/// <summary>
/// A chart of lines, drawn by ScottPlot. Its text in the SVG is ours: Skia needs a font file to write any, which machines without a desktop often lack,
/// and the reader's browser has better ones. The SVG has no background, so that it stands on a light page and on a dark one; its legend lies below the axes, never over a curve.
/// </summary>
/// <param name="title">Above the chart.</param>
/// <param name="xTitle">Below the horizontal axis.</param>
/// <param name="yTitle">Beside the vertical axis.</param>
/// <param name="lines">What is drawn, in the order of the legend; at least one point altogether.</param>
internal sealed class LineChart(string title, string xTitle, string yTitle, IReadOnlyList<ChartLine> lines)
{
    private const int Width = 820, Height = 420;
    private const int Left = 64, Right = 16, Bottom = 52, Top = 36;
    private const int LegendLine = 20, LegendGap = 28;
    private const float LetterWidth = 7.2f;
    private const string Axes = "#808080", GridLines = "#80808040";
    private const int MaxTicks = 10;

    /// <summary>Names instead of numbers along the horizontal axis; null for numbers.</summary>
    public IReadOnlyList<string>? Categories { get; init; }

    /// <summary>Whether the lines are named below the chart: unless there are categories, which often name them.</summary>
    public bool? Legend { get; init; }

    /// <summary>Whether the horizontal axis is logarithmic: then it reaches from the smallest position to the largest, all above 0.</summary>
    public bool LogX { get; init; }

    /// <summary>Whether the vertical axis is logarithmic: then all values are above 0.</summary>
    public bool LogY { get; init; }

    /// <summary>Whether a horizontal axis of numbers begins at 0; otherwise a little left of the first point.</summary>
    public bool FromZero { get; init; } = true;

    /// <summary>The whole range of values; null for the part that matters after the first fifth.</summary>
    public (double Bottom, double Top)? Values { get; init; }

    /// <summary>The chart as one svg element that refers to nothing outside it.</summary>
    public string Svg()
    {
        using var plot = Draw(text: false);
        var svg = plot.GetSvgXml(Width, Height);
        var body = svg[svg.IndexOf("<svg", StringComparison.Ordinal)..svg.LastIndexOf("</svg>", StringComparison.Ordinal)];
        var (labels, height) = Labels(plot);
        return $"{Scalable(body, height)}{labels}</svg>";
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
        foreach (var line in lines)
        {
            var scatter = plot.Add.Scatter(OnAxis(line.X, LogX), OnAxis(line.Y, LogY), Color.FromHex(line.Color));
            scatter.LegendText = line.Name;
            scatter.LineWidth = line.Connected ? 2 : 0;
            scatter.MarkerSize = !line.Connected ? 9 : line.Markers ? 7 : 0;
            if (line.Dashed)
                scatter.LinePattern = LinePattern.Dashed;
            if (line.Noise is { } noise)
            {
                var bars = plot.Add.ErrorBar(OnAxis(line.X, LogX), OnAxis(line.Y, LogY), [.. noise]);
                bars.Color = Color.FromHex(line.Color);
                bars.LineWidth = 1.5f;
            }
        }
        var (bottom, top) = LogY ? LogRange(lines.SelectMany(line => line.Y)) : Values ?? Range();
        var x = lines.SelectMany(line => line.X);
        var (left, right) = LogX ? LogRange(x) : Categories is null ? (FromZero ? 0 : x.Min() - (0.03 * (x.Max() - x.Min())), x.Max() + (0.03 * (x.Max() - (FromZero ? 0 : x.Min())))) : (-0.5, Categories.Count - 0.5);
        plot.Axes.SetLimits(left, right, bottom, top);
        plot.Axes.Left.TickGenerator = LogY ? Powers(bottom, top) : new ScottPlot.TickGenerators.NumericFixedInterval(Interval(top - bottom));
        plot.Axes.Bottom.TickGenerator = LogX ? Powers(left, right) : Categories is null
            ? new ScottPlot.TickGenerators.NumericFixedInterval(Interval(x.Max()))
            : new ScottPlot.TickGenerators.NumericManual([.. Enumerable.Range(0, Categories.Count).Select(i => (double)i)], [.. Categories]);
        plot.Axes.Top.IsVisible = plot.Axes.Right.IsVisible = false;
        plot.Layout.Fixed(new PixelPadding(Left, Right, Bottom, Top));
        if (text)
        {
            plot.Title(title);
            plot.XLabel(xTitle);
            plot.YLabel(yTitle);
            plot.ShowLegend(Alignment.UpperRight);
            // Skia's default is any font at all, often a serif one.
            if (SKFontManager.Default.FontFamilies.Where(name => name.Contains("Sans")).MinBy(name => name.Length) is { } sans)
                plot.Font.Set(sans);
        }
        else
        {
            plot.Axes.Left.TickLabelStyle.IsVisible = plot.Axes.Bottom.TickLabelStyle.IsVisible = false;
            plot.HideLegend();
            plot.FigureBackground.Color = plot.DataBackground.Color = Colors.Transparent;
            plot.Axes.Color(Color.FromHex(Axes));
            plot.Grid.MajorLineColor = Color.FromHex(GridLines);
        }
        return plot;
    }

    /// <summary>From below the smallest value up to the largest one of the part that matters: the fall in the first fifth would press all that follows flat.</summary>
    private (double Bottom, double Top) Range()
    {
        var start = Categories is null ? lines.SelectMany(line => line.X).Max() / 5 : double.NegativeInfinity;
        var points = lines.SelectMany(line => line.X.Zip(line.Y)).Where(point => double.IsFinite(point.Second)).ToList();
        var shown = points.Where(point => point.First >= start).Select(point => point.Second).DefaultIfEmpty(points.Max(point => point.Second)).ToList();
        var (low, high) = (points.Min(point => point.Second), shown.Max());
        var margin = Math.Max(0.05 * (high - low), 0.01);
        return (low - margin, high + margin);
    }

    private static double[] OnAxis(IReadOnlyList<double> values, bool logarithmic) => [.. values.Select(value => logarithmic ? Math.Log10(value) : value)];

    /// <summary>Exponents of ten, with a little air on both sides.</summary>
    private static (double Low, double High) LogRange(IEnumerable<double> values)
    {
        var exponents = values.Select(Math.Log10).ToList();
        var (low, high) = (exponents.Min(), exponents.Max());
        var air = Math.Max(0.02 * (high - low), 0.05);
        return (low - air, high + air);
    }

    /// <summary>A tick at every power of ten.</summary>
    private static ScottPlot.TickGenerators.NumericManual Powers(double low, double high)
    {
        var exponents = Enumerable.Range((int)Math.Ceiling(low), Math.Max(0, (int)Math.Floor(high) - (int)Math.Ceiling(low) + 1)).ToList();
        return new([.. exponents.Select(exponent => (double)exponent)], [.. exponents.Select(Power)]);

        static string Power(int exponent) => exponent is >= -3 and <= 5
            ? Math.Pow(10, exponent).ToString(exponent < 0 ? "0.###" : "#,0", System.Globalization.CultureInfo.InvariantCulture)
            : $"1e{exponent}";
    }

    // 1, 2 or 5 times a power of ten.
    private static double Interval(double range)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(range / MaxTicks)));
        return new[] { 1, 2, 5, 10 }.Select(factor => factor * power).First(interval => range / interval <= MaxTicks);
    }

    private static string Scalable(string svg, int height) => svg.Replace($"width=\"{Width}\" height=\"{Height}\">", $"viewBox=\"0 0 {Width} {height}\" role=\"img\">");

    private (string Labels, int Height) Labels(Plot plot)
    {
        var data = new PixelRect(Left, Width - Right, Height - Bottom, Top);
        var text = new StringBuilder("<g font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"currentColor\">");
        foreach (var tick in plot.Axes.Bottom.TickGenerator.Ticks.Where(tick => tick.IsMajor && plot.Axes.Bottom.Range.Contains(tick.Position)))
            Text(plot.Axes.Bottom.GetPixel(tick.Position, data), Height - Bottom + 20, "middle", tick.Label);
        foreach (var tick in plot.Axes.Left.TickGenerator.Ticks.Where(tick => tick.IsMajor && plot.Axes.Left.Range.Contains(tick.Position)))
            Text(Left - 8, plot.Axes.Left.GetPixel(tick.Position, data) + 4, "end", tick.Label);
        Text(Left, Top - 14, "start", title, "font-weight=\"600\"");
        Text((Left + Width - Right) / 2f, Height - 10, "middle", xTitle);
        Text(0, 0, "middle", yTitle, $"transform=\"translate(16 {(Top + Height - Bottom) / 2}) rotate(-90)\"");
        var height = Legend ?? Categories is null ? LegendBelow() : Height;
        return (text.Append("</g>").ToString(), height);

        int LegendBelow()
        {
            var (x, y) = ((float)Left, Height + 12);
            foreach (var line in lines.Where(line => line.Name.Length > 0))
            {
                var width = LegendGap + (line.Name.Length * LetterWidth);
                if (x > Left && x + width > Width - Right)
                    (x, y) = (Left, y + LegendLine);
                text.Append($"<rect x=\"{x:0.#}\" y=\"{y - 7}\" width=\"10\" height=\"4\" fill=\"{line.Color}\"/>");
                Text(x + 15, y, "start", line.Name);
                x += width;
            }
            return y + 10;
        }

        void Text(float x, float y, string anchor, string content, string more = "") =>
            text.Append($"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" {more}>{Html.Escape(content)}</text>");
    }
}
