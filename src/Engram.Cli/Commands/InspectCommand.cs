using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Inspection;
using Engram.Storage;
using Engram.Studies.Reports;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Which n-grams fired, which rows they read, and how far the gates let them in.</summary>
internal sealed class InspectCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Option<string> _text = new("--text") { Description = "The text to run through the model", HelpName = "TEXT", Required = true };
    private readonly Option<string?> _html = new("--html") { Description = "Also write a page that any browser shows", HelpName = "FILE" };
    private readonly Option<string?> _dump = new("--dump") { Description = "Also write ids, rows, memory, hidden states, gates and outputs as a safetensors file", HelpName = "FILE" };
    private readonly Option<string> _memory = ModelInput.Use("on", "shuffled", "random", "permuted");
    private readonly Option<bool> _json = CommonOptions.Json();

    public InspectCommand() : base("inspect",
        "Show what the memory does with a text: for each token and memory layer the n-grams that fired, the table rows they read, and the gate of each residual stream.",
        "engram inspect --model run/model --text \"Only Alexander the Great could tame the horse Bucephalus.\"",
        "engram inspect --model run/model --text \"Only Alexander the Great\" --html gates.html --dump trace.safetensors")
    {
        _model.AddFolderTo(this);
        Add(_text);
        Add(_html);
        Add(_dump);
        Add(_memory);
        _model.AddSettingsTo(this);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (page, dump) = (parsed.GetValue(_html), parsed.GetValue(_dump));
        foreach (var output in (string?[])[page, dump])
            if (output is not null) AtomicFile.RequireWritable(output);
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(model.Memory, parsed.GetRequiredValue(_memory));
        var inspection = MemoryInspection.Run(model, parsed.GetRequiredValue(_text), memory.Bank);
        foreach (var layer in inspection.Layers)
            foreach (var position in Positions(inspection))
                if (!double.IsFinite(inspection.MeanGate(layer, position)))
                    throw new InvalidDataException($"The gates of layer {layer.Layer} at position {position} are not finite: weights or tables hold values that are not. engram table verify finds those of tables.");
        if (parsed.GetValue(_json)) WriteJson(inspection);
        else WriteText(inspection);
        if (page is not null)
        {
            AtomicFile.WriteAllText(page, GateReport.Page("What the memory did", inspection));
            Terminal.Note($"Page: {page}");
        }
        if (dump is not null)
        {
            inspection.Dump(dump);
            Terminal.Note($"Tensors: {dump}");
        }
    }

    private static void WriteJson(MemoryInspection inspection) => Terminal.Json(new
    {
        Tokens = Positions(inspection).Select(position => new
        {
            Position = position, TokenId = inspection.TokenIds[position], CanonicalId = inspection.CanonicalIds[position], Text = inspection.TokenText(position),
        }),
        Layers = inspection.Layers.Select(layer => new
        {
            layer.Layer,
            Positions = Positions(inspection).Select(position => new
            {
                Gate = inspection.Gates(layer, position).ToArray(),
                Ngrams = inspection.Orders.Select(order => new
                {
                    Order = order, Tokens = inspection.Ngram(position, order), Rows = inspection.Rows(layer, position, order).ToArray(),
                }),
            }),
        }),
    });

    private static void WriteText(MemoryInspection inspection)
    {
        foreach (var layer in inspection.Layers)
        {
            Terminal.Answer.MarkupLine($"[bold]Layer {layer.Layer}[/] (from 0); a token's shade is its gate, the mean of {inspection.Streams} stream(s)");
            var line = new Paragraph();
            foreach (var position in Positions(inspection))
                line.Append(inspection.TokenText(position), Shade(inspection.MeanGate(layer, position)));
            Terminal.Answer.Write(line);
            Terminal.Answer.WriteLine();
            foreach (var position in Positions(inspection)) WritePosition(inspection, layer, position);
            Terminal.Answer.WriteLine();
        }
    }

    private static void WritePosition(MemoryInspection inspection, InspectedLayer layer, int position)
    {
        var line = new Paragraph();
        line.Append($"{position,4}  ");
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
            Terminal.Answer.WriteLine($"        {GateReport.Ngram(inspection, position, order)}  rows {string.Join(' ', inspection.Rows(layer, position, order).ToArray())}");
    }

    /// <summary>From almost black at 0 to orange at 1, readable with white letters on any terminal.</summary>
    private static Style Shade(double gate)
    {
        var g = Math.Clamp(gate, 0, 1);
        return new Style(Color.White, new Color(Mix(0x26, 0xD5), Mix(0x26, 0x5E), Mix(0x26, 0x00)));

        byte Mix(int from, int to) => (byte)(from + ((to - from) * g));
    }

    private static IEnumerable<int> Positions(MemoryInspection inspection) => Enumerable.Range(0, inspection.TokenIds.Count);
}
