using Engram.Evaluation.Losses;

namespace Engram.Studies.Pages;

/// <summary>The losses of one model by position, for a picture.</summary>
/// <param name="Name">Of the model.</param>
/// <param name="Losses">By position.</param>
public sealed record PositionCurve(string Name, IReadOnlyList<PositionLoss> Losses);

/// <summary>Shows how the loss of models depends on how much text a token has before it.</summary>
public static class PositionLossReport
{
    // Told apart by whoever sees no red and green, too.
    private static readonly string[] Colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

    /// <summary>Most curves that one picture has colours for.</summary>
    public static int MostCurves => Colours.Length;

    /// <summary>A picture by itself, legible on white and on black.</summary>
    /// <param name="curves">1 to <see cref="MostCurves"/> models on the same text.</param>
    public static string Svg(IReadOnlyList<PositionCurve> curves)
    {
        const string style = "<style>text { fill: #767676; } .axis { stroke: #888; } .grid { stroke: #8884; }</style>";
        var svg = Chart(curves).Svg();
        return svg.Insert(svg.IndexOf('>', StringComparison.Ordinal) + 1, style) + "\n";
    }

    /// <summary>A page with the picture and the numbers.</summary>
    /// <param name="text">What was read; plain text.</param>
    /// <param name="curves">1 to <see cref="MostCurves"/> models on the same text.</param>
    public static string Page(string text, IReadOnlyList<PositionCurve> curves)
    {
        const string title = "Loss by position";
        var caption =
            $"Mean loss of the tokens of {text} that have so much text before them. A model that uses its context falls from left to "
            + "right; one that has left the context it was trained for rises.";
        var rows = Enumerable
            .Range(0, curves[0].Losses.Count)
            .Select(bin =>
                (IReadOnlyList<string>)
                    [
                        $"{curves[0].Losses[bin].First:N0} to {curves[0].Losses[bin].First + curves[0].Losses[bin].Positions - 1:N0}",
                        .. curves.Select(curve =>
                            FormattableString.Invariant($"{curve.Losses[bin].Nats:F4} ± {curve.Losses[bin].StandardError:F4}")
                        ),
                    ]
            );
        return Html.Page(
            title,
            $"<h1>{title}</h1>\n{Chart(curves).Figure(caption)}{Html.Table(["tokens before", .. curves.Select(curve => Html.Escape(curve.Name))], rows)}"
        );
    }

    private static LineChart Chart(IReadOnlyList<PositionCurve> curves)
    {
        var values = curves.SelectMany(curve => curve.Losses).Select(loss => loss.Nats).ToArray();
        var air = Math.Max(0.05 * (values.Max() - values.Min()), 0.01);
        return new LineChart(
            "Loss by position",
            "tokens before",
            "nats per token",
            [
                .. curves.Select(
                    (curve, i) =>
                        new ChartLine(
                            curve.Name,
                            Colours[i],
                            [.. curve.Losses.Select(loss => loss.First + (loss.Positions - 1) / 2.0)],
                            [.. curve.Losses.Select(loss => loss.Nats)]
                        )
                ),
            ]
        )
        {
            Values = (values.Min() - air, values.Max() + air),
        };
    }
}
