using System.Globalization;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Inspection;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Writes how far the gates of a model open over a corpus.</summary>
internal static class GateHistograms
{
    private const string Heights = " ▁▂▃▄▅▆▇█";

    /// <summary>Writes them as a table, the counts as bars, or as JSON.</summary>
    public static void Write(IReadOnlyList<GateHistogram> histograms, bool json)
    {
        if (json)
        {
            Terminal.Json(new { Gates = histograms });
            return;
        }

        var table = new Table()
            .AddColumn("layer")
            .AddColumn("stream")
            .AddColumn(new TableColumn("mean gate").RightAligned())
            .AddColumn("gates from 0 to 1")
            .AddColumn(new TableColumn("positions").RightAligned());
        foreach (var histogram in histograms)
            table.AddRow(
                $"{histogram.Layer}",
                $"{histogram.Stream}",
                histogram.Mean.ToString("F3", CultureInfo.InvariantCulture),
                Bars(histogram.Counts),
                $"{histogram.Counts.Sum():N0}"
            );
        Terminal.Answer.Write(table);
    }

    private static string Bars(long[] counts) =>
        string.Concat(counts.Select(count => Heights[count == 0 ? 0 : 1 + (int)((Heights.Length - 2) * count / counts.Max())]));
}
