using System.Globalization;
using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Pages;
using Engram.Studies.Statistics;
using Engram.Studies.Verdicts;

namespace Engram.Studies.StudyReports;

/// <summary>The charts of a study: our points with their noise, and the paper's on their own axes.</summary>
/// <param name="data">What was measured.</param>
internal sealed class StudyCharts(StudyData data)
{
    private const int PointsOfAFit = 60;

    // Distinct for readers who see few colours, and on a light page as on a dark one.
    private static readonly string[] Colors = ["#D55E00", "#3B8FD6", "#2FA37A", "#CC79A7", "#B89B00", "#8F7AE5", "#8A8A8A"];

    /// <summary>One chart as figures, ours before the paper's; nothing where there are no points.</summary>
    public string Figure(ChartDefinition chart)
    {
        if (chart.Axis == "pairs")
            return Pairs(chart);
        if (Ours(chart) is not { } ours)
            return "";
        var figure = ours.Figure(
            chart.Axis == "arm"
                ? "Each point is one training; arms stand side by side, so that differences between them can be seen beside those between seeds."
                : "Points are means over the seeds, bars one standard deviation"
                    + (chart.Fit is { } fit ? $"; the broken line is the {fit} fit." : ".")
        );
        return chart.Paper is { } name && StudyLibrary.Paper(name) is var paper
            ? figure + Published(paper).Figure($"{paper.Source}. Single runs of models some thousand times larger.")
            : figure;
    }

    /// <summary>Our points; null where there are none, or they make no lines.</summary>
    internal LineChart? Ours(ChartDefinition chart) =>
        chart.Axis switch
        {
            "arm" => Categories(chart),
            "measure" => OverMeasures(chart),
            "pairs" => null,
            _ => Curves(chart),
        };

    /// <summary>A heat map for each setting and arm: means over the seeds of what was measured for pairs of numbers.</summary>
    private string Pairs(ChartDefinition chart)
    {
        var places = data
            .Measures.Where(measure => measure.StartsWith(chart.Measure, StringComparison.Ordinal))
            .Select(measure => (Measure: measure, Ends: measure[chart.Measure.Length..].Split('_')))
            .Select(place =>
                (
                    place.Measure,
                    Row: int.Parse(place.Ends[0], CultureInfo.InvariantCulture),
                    Column: int.Parse(place.Ends[1], CultureInfo.InvariantCulture)
                )
            )
            .ToList();
        if (places.Count == 0)
            return "";
        var maps = new System.Text.StringBuilder();
        foreach (var setting in data.Settings.Where(setting => !setting.Selection))
        foreach (var arm in data.Arms(setting, chart.Arms, places[0].Measure))
        {
            var values = new double[places.Max(place => place.Row), places.Max(place => place.Column)];
            foreach (var place in places)
                values[place.Row - 1, place.Column - 1] = data.Statistics(setting.Name, arm.Name, place.Measure)?.Mean ?? double.NaN;
            var seeds = data.Seeds(setting.Name, arm.Name, places[0].Measure).Count;
            maps.Append(
                HeatMap.Figure(
                    values,
                    data.Plan.Study.Reference ?? "reference",
                    arm.Name,
                    first: 1,
                    $"{chart.Title}, {setting.Name}, mean over {seeds} seed{(seeds > 1 ? "s" : "")}. "
                )
            );
        }
        return maps.ToString();
    }

    private static LineChart Published(PaperChart paper)
    {
        var values = paper.Series.SelectMany(series => series.Y).ToList();
        return new LineChart(
            paper.Title,
            paper.XTitle,
            paper.YTitle,
            [
                .. paper.Series.Select(
                    (series, number) =>
                        new ChartLine(
                            series.Name,
                            Colors[(number + 1) % Colors.Length],
                            series.X,
                            series.Y,
                            Connected: paper.Categories is null
                        )
                        {
                            Markers = true,
                        }
                ),
            ]
        )
        {
            LogX = paper.LogX,
            Categories = paper.Categories,
            FromZero = false,
            Legend = paper.Series.Count > 1 || paper.Categories is null,
            Values = Around(values),
        };
    }

    private LineChart? Curves(ChartDefinition chart)
    {
        var (lines, number) = (new List<ChartLine>(), 0);
        foreach (var setting in data.Settings.Where(setting => !setting.Selection))
        foreach (var series in data.Arms(setting, chart.Arms, chart.Measure).GroupBy(arm => arm.Series).Where(series => series.Count() > 1))
        {
            var color = Colors[number++ % Colors.Length];
            var points = series
                .Select(arm =>
                    (
                        X: data.Position(setting, arm, chart.Axis),
                        Values: data.Statistics(setting.Name, arm.Name, chart.Measure)!,
                        Seeds: data.Seeds(setting.Name, arm.Name, chart.Measure).Count
                    )
                )
                .Where(point => !Logarithmic(chart) || point.X > 0)
                .OrderBy(point => point.X)
                .ToList();
            if (points.Count == 0)
                continue;
            double[] x = [.. points.Select(point => point.X)],
                y = [.. points.Select(point => point.Values.Mean)];
            var (fewest, most) = (points.Min(point => point.Seeds), points.Max(point => point.Seeds));
            lines.Add(
                new ChartLine(
                    $"{setting.Name}{(series.Key.Length > 0 ? $", {series.Key}" : "")}, {(fewest == most ? $"{most}" : $"{fewest} to {most}")} seed{(most > 1 ? "s" : "")}",
                    color,
                    x,
                    y,
                    Connected: chart.Fit is null
                )
                {
                    Markers = true,
                    Noise = points.All(point => point.Values.StandardDeviation is not null)
                        ? [.. points.Select(point => point.Values.StandardDeviation!.Value)]
                        : null,
                }
            );
            if (Fit(chart, x, y) is { } fit)
                lines.Add(new ChartLine("", color, fit.X, fit.Y) { Dashed = true });
        }
        if (lines.Count == 0)
            return null;
        return new LineChart(chart.Title, AxisTitle(chart.Axis), MeasureTitle(chart.Measure), lines)
        {
            LogX = Logarithmic(chart),
            WholeX = chart.Axis == "layer",
            FromZero = false,
            Values = Around(WithBars(lines)),
        };
    }

    private LineChart? Categories(ChartDefinition chart)
    {
        var settings = data
            .Settings.Where(setting => !setting.Selection && data.Arms(setting, chart.Arms, chart.Measure).Count > 0)
            .ToList();
        var arms = data
            .Plan.Study.Arms.Where(arm => settings.Any(setting => data.Arms(setting, chart.Arms, chart.Measure).Contains(arm)))
            .ToList();
        if (arms.Count == 0)
            return null;
        List<ChartLine> lines =
        [
            .. settings.Select(
                (setting, number) =>
                {
                    var points = data.Arms(setting, chart.Arms, chart.Measure)
                        .SelectMany(arm =>
                            data.Seeds(setting.Name, arm.Name, chart.Measure)
                                .Values.Select(value => (X: arms.IndexOf(arm) + (0.12 * (number - ((settings.Count - 1) / 2.0))), Y: value))
                        )
                        .ToList();
                    return new ChartLine(
                        setting.Name,
                        Colors[number % Colors.Length],
                        [.. points.Select(point => point.X)],
                        [.. points.Select(point => point.Y)],
                        Connected: false
                    );
                }
            ),
        ];
        return new LineChart($"{chart.Title}, one point per seed", "", MeasureTitle(chart.Measure), lines)
        {
            Categories = [.. arms.Select(arm => arm.Name)],
            Legend = settings.Count > 1,
            Values = Around([.. lines.SelectMany(line => line.Y)]),
        };
    }

    /// <summary>A line for each arm over the measures that begin alike and end with a number: one for each layer, for example.</summary>
    private LineChart? OverMeasures(ChartDefinition chart)
    {
        var places = data
            .Measures.Where(measure =>
                measure.StartsWith(chart.Measure, StringComparison.Ordinal) && int.TryParse(measure[chart.Measure.Length..], out _)
            )
            .Select(measure => (Measure: measure, X: int.Parse(measure[chart.Measure.Length..], CultureInfo.InvariantCulture)))
            .OrderBy(place => place.X)
            .ToList();
        var lines = new List<ChartLine>();
        foreach (var setting in data.Settings.Where(setting => !setting.Selection))
        foreach (var arm in data.Plan.Study.Arms.Where(arm => chart.Arms.Matches(arm.Name)))
        {
            var points = places
                .Select(place => (place.X, Values: data.Statistics(setting.Name, arm.Name, place.Measure)))
                .Where(point => point.Values is not null)
                .ToList();
            if (points.Count < 2)
                continue;
            lines.Add(
                new ChartLine(
                    $"{arm.Name}, {setting.Name}",
                    Colors[lines.Count % Colors.Length],
                    [.. points.Select(point => (double)point.X)],
                    [.. points.Select(point => point.Values!.Mean)]
                )
                {
                    Markers = true,
                    Noise = points.All(point => point.Values!.StandardDeviation is not null)
                        ? [.. points.Select(point => point.Values!.StandardDeviation!.Value)]
                        : null,
                }
            );
        }
        return lines.Count == 0 ? null
            : chart.Measure == LossCurve.Prefix ? new LineChart(chart.Title, "updates", "validation loss, nats per token", lines)
            : new LineChart(chart.Title, "layer, counted from 1", MeasureTitle(chart.Measure.TrimEnd('_')), lines)
            {
                WholeX = true,
                FromZero = false,
                Values = Around(WithBars(lines)),
            };
    }

    /// <summary>The ends of all error bars, or the values where there are none.</summary>
    private static IReadOnlyList<double> WithBars(IEnumerable<ChartLine> lines) =>
        [.. lines.SelectMany(line => line.Y.SelectMany((y, i) => line.Noise is { } noise ? new[] { y - noise[i], y + noise[i] } : [y]))];

    private static (double[] X, double[] Y)? Fit(ChartDefinition chart, double[] x, double[] y)
    {
        var degree = chart.Fit switch
        {
            "quadratic" => 2,
            "logarithmic" => 1,
            _ => 0,
        };
        if (degree == 0 || x.Length <= degree)
            return null;
        double Scaled(double value) => Logarithmic(chart) ? Math.Log10(value) : value;
        var fit = PolynomialFit.Of([.. x.Select(Scaled)], y, degree);
        double[] positions =
        [
            .. Enumerable.Range(0, PointsOfAFit).Select(i => Scaled(x[0]) + ((Scaled(x[^1]) - Scaled(x[0])) * i / (PointsOfAFit - 1))),
        ];
        return ([.. positions.Select(position => Logarithmic(chart) ? Math.Pow(10, position) : position)], [.. positions.Select(fit.At)]);
    }

    private static bool Logarithmic(ChartDefinition chart) => chart.Axis is "memory" or "experts" or "tokens";

    private static (double, double) Around(IReadOnlyList<double> values)
    {
        var margin = Math.Max(0.08 * (values.Max() - values.Min()), 1e-3 * Math.Max(1e-3, Math.Abs(values.Max())));
        return (values.Min() - margin, values.Max() + margin);
    }

    private static string AxisTitle(string axis) =>
        axis switch
        {
            "rho" => "share of inactive parameters in experts, %",
            "experts" => "routed experts per layer",
            "memory" => "table values",
            "layer" => "layer of the memory, counted from 1",
            _ => "training tokens",
        };

    private static string MeasureTitle(string measure) =>
        measure switch
        {
            "lens_kl" => "KL(final ‖ layer), nats",
            "aligned" => "layer of the experts' model",
            _ when measure.Contains("loss", StringComparison.Ordinal) => $"{MeasureWords.Of(measure)}, nats per token",
            _ => MeasureWords.Of(measure),
        };
}
