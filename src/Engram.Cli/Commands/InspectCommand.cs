using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Evaluation.Inspection;
using Engram.Evaluation.Layers;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Studies.Reports;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Which n-grams fired, which rows they read, and how far the gates let them in.</summary>
internal sealed class InspectCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Option<string?> _prompt = new("--prompt") { Description = "The text to run through the model", HelpName = "TEXT" };
    private readonly Option<string?> _data = new("--data")
    {
        Description = "Instead of a text, count the gates over the validation part of prepared data",
        HelpName = "FOLDER",
    };
    private readonly Option<int> _limit = new("--limit")
    {
        Description = "At most this many sequences of --data",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.ValidationSequences,
    };
    private readonly Option<int> _length = new("--length")
    {
        Description = "Tokens of one sequence of --data",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.Length,
    };
    private readonly Option<bool> _leaveOneOut = new("--leave-one-out")
    {
        Description =
            "Also read the text without each layer, order, head and residual stream of the memory, and show what each token loses",
    };
    private readonly Option<string> _replace = new Option<string>("--replace")
    {
        Description = "What stands in place of rows that are left out: zero, or mean, that of all rows of the head",
        HelpName = "ROWS",
        DefaultValueFactory = _ => "zero",
    }.OneOf("zero", "mean");
    private readonly Option<string?> _html = new("--html") { Description = "Also write a page that any browser shows", HelpName = "FILE" };
    private readonly Option<string?> _dump = new("--dump")
    {
        Description = "Also write ids, rows, memory, hidden states, gates and outputs as a safetensors file",
        HelpName = "FILE",
    };
    private readonly Option<string> _memory = ModelInput.Use(without: "off");
    private readonly Option<bool> _json = CommonOptions.Json();

    public InspectCommand()
        : base(
            "inspect",
            "Show what the memory does with a text: for each token and memory layer the n-grams that fired, the table rows they read, and "
                + "the gate of each residual stream.",
            "engram inspect --model run/model --prompt \"Only Alexander the Great could tame the horse Bucephalus.\"",
            "engram inspect --model run/model --prompt \"Only Alexander the Great\" --html gates.html --dump trace.safetensors",
            "engram inspect --model run/model --prompt \"Only Alexander the Great\" --leave-one-out",
            "engram inspect --model run/model --data data --json"
        )
    {
        _model.AddFolderTo(this);
        Add(_prompt);
        Add(_data);
        Add(_limit);
        Add(_length);
        Add(_leaveOneOut);
        Add(_replace);
        Add(_html);
        Add(_dump);
        Add(_memory);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_length);
        Validators.Add(given =>
        {
            if (given.GetResult(_prompt) is null == given.GetResult(_data) is null)
                given.AddError("Give either --prompt or --data.");
            foreach (var option in (Option[])[_html, _dump, _leaveOneOut])
                if (given.GetResult(_data) is not null && given.GetResult(option) is { Implicit: false })
                    given.AddError($"{option.Name} needs --prompt.");
        });
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (page, dump) = (parsed.GetValue(_html), parsed.GetValue(_dump));
        foreach (var output in (string?[])[page, dump])
            if (output is not null)
                AtomicFile.RequireWritable(output);
        using var corpus = parsed.GetValue(_data) is { } data ? PreparedCorpus.Open(data) : null;
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
        if (corpus is not null)
        {
            corpus.RequireTokenizer(model.Tokenizer);
            GateHistograms.Write(
                GateHistogram.Measure(
                    model,
                    memory.Bank ?? throw new UsageException("The model has no memory to inspect: its configuration has no engram_* keys."),
                    SampledTokens.Of(corpus, parsed.GetValue(_limit), parsed.GetValue(_length)),
                    cancellation: cancellation
                ),
                parsed.GetValue(_json)
            );
            return;
        }

        var text = parsed.GetRequiredValue(_prompt)!;
        var inspection = MemoryInspection.Run(model, text, memory.Bank);
        foreach (var layer in inspection.Layers)
        foreach (var position in Positions(inspection))
            if (!double.IsFinite(inspection.MeanGate(layer, position)))
                throw new InvalidDataException(
                    $"The gates of layer {layer.Layer} at position {position} are not finite: weights or tables hold values that are not. "
                        + "engram table verify finds those of tables."
                );
        var replacement = parsed.GetRequiredValue(_replace) == "mean" ? SuppressedRow.Mean : SuppressedRow.Zero;
        var leftOut = parsed.GetValue(_leaveOneOut) ? LeaveOneOut.Run(model, text, memory.Bank!, replacement, cancellation) : null;
        if (parsed.GetValue(_json))
            WriteJson(inspection, leftOut);
        else
            WriteText(inspection);
        if (leftOut is not null && !parsed.GetValue(_json))
            WriteLeftOut(inspection, leftOut);
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

    private static void WriteJson(MemoryInspection inspection, LeaveOneOut? leftOut) =>
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
    private static void WriteLeftOut(MemoryInspection inspection, LeaveOneOut leftOut)
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

    private static void WriteText(MemoryInspection inspection)
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

    private static IEnumerable<int> Positions(MemoryInspection inspection) => Enumerable.Range(0, inspection.TokenIds.Count);
}
