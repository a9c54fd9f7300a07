using System.Xml.Linq;
using Engram.Studies.Pages;

namespace Engram.Torch.Tests.Studies;

public sealed class LineChartTests
{
    private static readonly LineChart Losses = new(
        "Validation loss <all arms>",
        "training tokens, million",
        "nats per token",
        [
            new ChartLine("moe & few", "#0072B2", [0.1, 0.5, 1], [4.5, 3.5, 3]),
            new ChartLine("engram", "#D55E00", [0.1, 0.5, 1], [4.25, 3.25, 2.75]),
        ]
    );

    [Fact]
    public void Svg_IsWellFormed_AndFetchesNothing()
    {
        var svg = XElement.Parse(Losses.Svg());

        Assert.Equal("svg", svg.Name.LocalName);
        Assert.Equal("0 0 820 440", svg.Attribute("viewBox")!.Value);
        Assert.DoesNotContain(svg.Descendants(), element => element.Name.LocalName is "image" or "script" or "link" or "use");
        Assert.DoesNotContain(
            svg.DescendantsAndSelf().Attributes(),
            attribute => !attribute.IsNamespaceDeclaration && attribute.Value.Contains("://")
        );
    }

    [Fact]
    public void Svg_NamesAxesAndLines_AndNumbersTheTicks()
    {
        var texts = XElement
            .Parse(Losses.Svg())
            .Descendants()
            .Where(element => element.Name.LocalName == "text")
            .Select(element => element.Value)
            .ToList();

        foreach (
            var expected in new[]
            {
                "Validation loss <all arms>",
                "training tokens, million",
                "nats per token",
                "moe & few",
                "engram",
                "0.5",
                "3",
            }
        )
            Assert.Contains(expected, texts);
        // Each text once: what Skia would have written with this machine's fonts is left out.
        Assert.Equal(texts.Count, texts.Distinct().Count());
    }

    [Fact]
    public void Svg_DrawsEachLineInItsColor()
    {
        var svg = XElement.Parse(Losses.Svg());

        foreach (var color in new[] { "#0072B2", "#D55E00" })
            Assert.Contains(
                svg.Descendants(),
                element =>
                    element.Name.LocalName == "path"
                    && string.Equals(element.Attribute("stroke")?.Value, color, StringComparison.OrdinalIgnoreCase)
            );
    }

    [Fact]
    public void Svg_DashesABrokenLine_InItsColor()
    {
        var chart = new LineChart(
            "broken",
            "x",
            "y",
            [
                new ChartLine("whole", "#0072B2", [0, 1, 2], [1, 2, 1]),
                new ChartLine("broken", "#D55E00", [0, 1, 2], [1, 1, 1], Dashed: true) { Markers = true },
            ]
        )
        {
            WholeX = true,
        };

        var svg = XElement.Parse(chart.Svg());
        var plotted = svg.Descendants()
            .Where(element => element.Name.LocalName == "path" && element.Attribute("stroke-width")?.Value == "2")
            .ToArray();

        Assert.Contains(plotted, line => Is(line, "#D55E00") && line.Attribute("stroke-dasharray") is not null);
        Assert.Contains(plotted, line => Is(line, "#0072B2") && line.Attribute("stroke-dasharray") is null);
        Assert.DoesNotContain("#0301", chart.Svg());
        // Whole numbers along the horizontal axis, which would have tenths otherwise.
        Assert.Contains(svg.Descendants(), text => text.Value == "0");
        Assert.DoesNotContain(svg.Descendants(), text => text.Value == "0.2");

        static bool Is(XElement line, string color) =>
            string.Equals(line.Attribute("stroke")?.Value, color, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>A legend over the plot hides lines; axes in a colour of their own vanish in one of the two themes.</summary>
    [Fact]
    public void Svg_HasItsLegendBelowTheAxes_AndLeavesTheirColoursToThePage()
    {
        ChartLine[] lines =
        [
            .. Enumerable.Range(0, 9).Select(i => new ChartLine($"a long name of line {i}", "#0072B2", [1, 2], [i, i + 1], Dashed: i == 8)),
        ];
        var svg = XElement.Parse(new LineChart("t", "below all numbers", "y", lines).Svg());
        var texts = svg.Descendants()
            .Where(element => element.Name.LocalName == "text")
            .ToLookup(text => text.Value, text => (double)text.Attribute("y")!);
        Assert.All(lines, line => Assert.True(texts[line.Name].Single() > texts["below all numbers"].Single()));
        Assert.True(texts["a long name of line 8"].Single() > texts["a long name of line 0"].Single());
        Assert.Single(
            svg.Descendants(),
            element => element.Attribute("stroke-dasharray") is not null && element.Attribute("d")!.Value.Contains('h')
        );
        Assert.Contains(svg.Descendants(), element => (string?)element.Attribute("class") == "axis");
        Assert.Contains(svg.Descendants(), element => (string?)element.Attribute("class") == "grid");
        Assert.DoesNotContain(
            svg.Descendants().Attributes(),
            attribute => attribute.Name.LocalName is "fill" or "stroke" && attribute.Value is "black" or "white" or "#000000" or "#FFFFFF"
        );
    }

    [Fact]
    public void Svg_BreaksLongNamesOfCategories_SoThatNoneReachesItsNeighbour()
    {
        string[] names = [.. Enumerable.Range(0, 12).Select(i => $"without-the-part-{i}")];
        var chart = new LineChart(
            "arms",
            "",
            "loss",
            [new ChartLine("docs", "#D55E00", [.. names.Select((_, i) => (double)i)], new double[12])]
        )
        {
            Categories = names,
        };
        var svg = XElement.Parse(chart.Svg());
        var pieces = svg.Descendants()
            .Where(element =>
                element.Name.LocalName == "text" && (string?)element.Attribute("text-anchor") == "middle" && element.Value != "loss"
            )
            .ToList();
        const double character = 7.4;

        Assert.Equal(string.Concat(names).Replace(" ", ""), string.Concat(pieces.Select(piece => piece.Value)));
        foreach (var line in pieces.GroupBy(piece => (double)piece.Attribute("y")!))
        {
            var ends = line.Select(piece => (X: (double)piece.Attribute("x")!, Half: piece.Value.Length * character / 2))
                .OrderBy(piece => piece.X)
                .ToList();
            Assert.All(ends.Zip(ends.Skip(1)), pair => Assert.True(pair.First.X + pair.First.Half <= pair.Second.X - pair.Second.Half));
            Assert.True(line.Key < double.Parse(svg.Attribute("viewBox")!.Value.Split(' ')[3]));
        }
    }

    [Fact]
    public void Svg_OfConstantValues_HasARange()
    {
        var chart = new LineChart("flat", "x", "y", [new ChartLine("one", "#000000", [1, 2], [3, 3])]);

        Assert.Contains(
            "3",
            XElement.Parse(chart.Svg()).Descendants().Where(element => element.Name.LocalName == "text").Select(element => element.Value)
        );
    }

    [Fact]
    public void LogarithmicAxes_HaveATickAtEveryPowerOfTen_AndStraightPowerLaws()
    {
        double[] x = [1, 10, 100, 1000];
        var chart = new LineChart("traffic", "rank", "reads", [new ChartLine("law", "#D55E00", x, [.. x.Select(rank => 1000 / rank)])])
        {
            LogX = true,
            LogY = true,
        };
        var svg = XElement.Parse(chart.Svg());
        var texts = svg.Descendants().Where(element => element.Name.LocalName == "text").ToList();
        foreach (var power in new[] { "1", "10", "100", "1,000" })
            Assert.Equal(2, texts.Count(text => text.Value == power));

        // Labels of one axis are equally far apart.
        var below = texts
            .Where(text => (string?)text.Attribute("text-anchor") == "middle" && double.TryParse(text.Value, out _))
            .Select(text => (double)text.Attribute("x")!)
            .Order()
            .ToList();
        Assert.Equal(4, below.Count);
        Assert.Equal(below[1] - below[0], below[3] - below[2], 0.2);
    }

    [Fact]
    public void Png_IsAPicture_WhereThereAreFonts()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("engram-chart-").FullName, "chart.png");
        if (!Losses.TryWritePng(path))
        {
            Assert.False(File.Exists(path));
            Assert.Skip("This machine has no fonts.");
        }

        byte[] signature = [0x89, (byte)'P', (byte)'N', (byte)'G'];
        Assert.Equal(signature, File.ReadAllBytes(path)[..4]);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }
}
