using System.Globalization;
using System.Text;
using Engram.Evaluation.Layers;

namespace Engram.Studies.Pages;

/// <summary>Shows in HTML what the layers of models know, and which of them resemble each other.</summary>
public static class LayersReport
{
    private static readonly string[] Colors = ["#D55E00", "#3B8FD6"];

    /// <summary>What the logit lens saw of one model.</summary>
    /// <param name="Name">Of the model.</param>
    /// <param name="Reading">What was seen.</param>
    public sealed record Lens(string Name, LensReading Reading);

    /// <summary>A whole page: one file, nothing fetched.</summary>
    /// <param name="title">Plain text.</param>
    /// <param name="lenses">One or two models.</param>
    /// <param name="similarity">Of the first model (rows) and the second (columns); null where there is one model.</param>
    public static string Page(string title, IReadOnlyList<Lens> lenses, LayerSimilarity? similarity)
    {
        var page = new StringBuilder($"<h1>{Html.Escape(title)}</h1>\n<h2>How near each layer is to the final prediction</h2>\n");
        page.Append(Distances(lenses)).Append(DistanceTable(lenses));
        if (similarity is not null)
            page.Append("<h2>Which layers resemble each other</h2>\n")
                .Append(HeatMap.Figure(similarity.Similarity, lenses[0].Name, lenses[1].Name))
                .Append(Alignment(lenses, similarity));
        return Html.Page(title, page.ToString());
    }

    private static string Distances(IReadOnlyList<Lens> lenses) =>
        new LineChart(
            "",
            "layer, counted from 0",
            "nats from the final prediction",
            [
                .. lenses.Select(
                    (lens, number) =>
                        new ChartLine(
                            lens.Name,
                            Colors[number % Colors.Length],
                            [.. lens.Reading.Layers.Select(layer => (double)layer.Layer)],
                            [.. lens.Reading.Layers.Select(layer => layer.FinalToLayer)]
                        )
                        {
                            Markers = true,
                        }
                ),
            ]
        )
        {
            WholeX = true,
            Values = (0, 1.05 * Math.Max(1e-6, lenses.Max(lens => lens.Reading.Layers.Max(layer => layer.FinalToLayer)))),
        }.Figure(
            "How far the state of each layer, through the final norm and the read-out, is from the final prediction: KL(final ‖ layer), "
                + "the smaller the nearer. "
                + $"{string.Join(" and ", lenses.Select(lens => $"{lens.Reading.Positions:N0} positions of {lens.Name}"))}."
        );

    private static string DistanceTable(IReadOnlyList<Lens> lenses) =>
        Html.Table(
            ["model", "layer", "KL(final ‖ layer), nats", "KL(layer ‖ final), nats", "same likeliest token"],
            lenses.SelectMany(lens =>
                lens.Reading.Layers.Select(layer =>
                    (IReadOnlyList<string>)
                        [
                            Html.Escape(lens.Name),
                            $"{layer.Layer}",
                            Number(layer.FinalToLayer),
                            Number(layer.LayerToFinal),
                            layer.Top1Agreement.ToString("P1", CultureInfo.InvariantCulture),
                        ]
                )
            )
        );

    private static string Alignment(IReadOnlyList<Lens> lenses, LayerSimilarity similarity) =>
        new LineChart(
            "",
            $"layer of {lenses[1].Name}",
            $"layer of {lenses[0].Name}",
            [
                new ChartLine(
                    "soft alignment",
                    Colors[0],
                    [.. Enumerable.Range(0, similarity.Aligned.Length).Select(j => (double)j)],
                    similarity.Aligned
                )
                {
                    Markers = true,
                },
                new ChartLine(
                    "equal layers",
                    "#8A8A8A",
                    [0, similarity.Aligned.Length - 1],
                    [0, similarity.Aligned.Length - 1],
                    Dashed: true
                ),
            ]
        )
        {
            WholeX = true,
            Values = (0, Math.Max(similarity.Similarity.GetLength(0), similarity.Similarity.GetLength(1)) - 1),
        }.Figure(
            $"Centre of the {SoftAlignment.Nearest} layers most alike, {similarity.Samples:N0} samples. Above the broken line a layer does the work of a later one."
        );

    private static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
}
