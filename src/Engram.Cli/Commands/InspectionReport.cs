using Engram.Cli.CommandLine;
using Engram.Evaluation.Inspection;
using Engram.Studies.Pages;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Writes what the memory of a model did with a text.</summary>
internal static class InspectionReport
{
    /// <summary>Tokens, and of every layer gates, n-grams and rows, as JSON.</summary>
    public static void WriteJson(MemoryInspection inspection, LeaveOneOut? leftOut) =>
        Terminal.Json(
            new
            {
                Tokens = Positions(inspection)
                    .Select(position => new
                    {
                        Position = position,
                        TokenId = inspection.TokenIds[position],
                        CanonicalId = inspection.CanonicalIds[position],
                        Text = inspection.TokenText(position),
                    }),
                Layers = inspection.Layers.Select(layer => new
                {
                    layer.Layer,
                    Positions = Positions(inspection)
                        .Select(position => new
                        {
                            Gate = inspection.Gates(layer, position).ToArray(),
                            Ngrams = inspection.Orders.Select(order => new
                            {
                                Order = order,
                                Tokens = inspection.Ngram(position, order),
                                Rows = inspection.Rows(layer, position, order).ToArray(),
                            }),
                        }),
                }),
                LeaveOneOut = leftOut is null ? null : new { leftOut.Loss, leftOut.Parts },
            }
        );

    /// <summary>One row per part, most important first, and one column per token of the next one's loss.</summary>
    public static void WriteLeftOut(MemoryInspection inspection, LeaveOneOut leftOut)
    {
        Terminal.Answer.MarkupLine("[bold]Left out[/]: by how many nats the loss of a token rises without a part of the memory");
        var table = new Table().AddColumn("token").AddColumn(new TableColumn("loss").RightAligned());
        foreach (var part in leftOut.Parts)
            table.AddColumn(new TableColumn(part.Part.Replace(',', '\n')).RightAligned());
        for (var t = 0; t < leftOut.Loss.Length; t++)
            table.AddRow([
                Markup.Escape(VisibleText.Of(inspection.TokenText(t + 1))),
                $"{leftOut.Loss[t]:F2}",
                .. leftOut.Parts.Select(part => $"{part.Nats[t]:+0.00;-0.00;0.00}"),
            ]);
        table.AddRow([
            "[bold]mean[/]",
            $"{leftOut.Loss.Average():F2}",
            .. leftOut.Parts.Select(part => $"{part.Nats.Average():+0.00;-0.00;0.00}"),
        ]);
        Terminal.Answer.Write(table);
    }

    /// <summary>The text shaded by its gates, then each position with its n-grams and rows.</summary>
    public static void WriteText(MemoryInspection inspection)
    {
        foreach (var layer in inspection.Layers)
        {
            Terminal.Answer.MarkupLine(
                $"[bold]Layer {layer.Layer}[/] (from 0); a token's shade is its gate, the mean of {inspection.Streams} stream(s)"
            );
            var line = new Paragraph();
            foreach (var position in Positions(inspection))
                line.Append(inspection.TokenText(position), Shade(inspection.MeanGate(layer, position)));
            Terminal.Answer.Write(line);
            Terminal.Answer.WriteLine();
            foreach (var position in Positions(inspection))
                WritePosition(inspection, layer, position);
            Terminal.Answer.WriteLine();
        }
    }

    private static void WritePosition(MemoryInspection inspection, InspectedLayer layer, int position)
    {
        var line = new Paragraph();
        line.Append($"{position, 4}  ");
        line.Append(VisibleText.Of(inspection.TokenText(position)), Shade(inspection.MeanGate(layer, position)));
        line.Append("  gate");
        foreach (var gate in inspection.Gates(layer, position))
        {
            line.Append(" ");
            line.Append($"{gate:F2}", Shade(gate));
        }
        Terminal.Answer.Write(line);
        Terminal.Answer.WriteLine();
        foreach (var order in inspection.Orders)
            Terminal.Answer.WriteLine(
                $"        {GateReport.Ngram(inspection, position, order)}  rows "
                    + $"{string.Join(' ', inspection.Rows(layer, position, order).ToArray())}"
            );
    }

    /// <summary>From almost black at 0 to orange at 1, readable with white letters on any terminal.</summary>
    private static Style Shade(double gate)
    {
        var g = Math.Clamp(gate, 0, 1);
        return new Style(Color.White, new Color(Mix(0x26, 0xD5), Mix(0x26, 0x5E), Mix(0x26, 0x00)));

        byte Mix(int from, int to) => (byte)(from + ((to - from) * g));
    }

    /// <summary>All positions of the text.</summary>
    public static IEnumerable<int> Positions(MemoryInspection inspection) => Enumerable.Range(0, inspection.TokenIds.Count);
}
