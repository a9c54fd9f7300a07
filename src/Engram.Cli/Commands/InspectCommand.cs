using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Evaluation.Inspection;
using Engram.Evaluation.Layers;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Studies.Pages;

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
        _model.AddEngineTo(this);
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
        foreach (var output in (string?[])[parsed.GetValue(_html), parsed.GetValue(_dump)])
            if (output is not null)
                AtomicFile.RequireWritable(output);
        using var corpus = parsed.GetValue(_data) is { } data ? PreparedCorpus.Open(data) : null;
        if (_model.IsManaged(parsed))
        {
            using var model = _model.OpenManaged(parsed);
            Inspect(parsed, new InspectedManagedModel(model), corpus, cancellation);
        }
        else
        {
            using var model = _model.Open(parsed);
            Inspect(parsed, new InspectedTorchModel(model), corpus, cancellation);
        }
    }

    private void Inspect(ParseResult parsed, IInspectedModel model, PreparedCorpus? corpus, CancellationToken cancellation)
    {
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
        if (corpus is null)
        {
            InspectText(parsed, model, memory.Bank, cancellation);
            return;
        }

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
    }

    private void InspectText(ParseResult parsed, IInspectedModel model, MemoryBank? memory, CancellationToken cancellation)
    {
        var (text, json) = (parsed.GetRequiredValue(_prompt)!, parsed.GetValue(_json));
        var inspection = MemoryInspection.Run(model, text, memory);
        foreach (var layer in inspection.Layers)
        foreach (var position in InspectionReport.Positions(inspection))
            if (!double.IsFinite(inspection.MeanGate(layer, position)))
                throw new InvalidDataException(
                    $"The gates of layer {layer.Layer} at position {position} are not finite: weights or tables hold values that are not. "
                        + "engram table verify finds those of tables."
                );
        var replacement = parsed.GetRequiredValue(_replace) == "mean" ? SuppressedRow.Mean : SuppressedRow.Zero;
        var leftOut = parsed.GetValue(_leaveOneOut) ? LeaveOneOut.Run(model, text, memory!, replacement, cancellation) : null;
        if (json)
            InspectionReport.WriteJson(inspection, leftOut);
        else
            InspectionReport.WriteText(inspection);
        if (leftOut is not null && !json)
            InspectionReport.WriteLeftOut(inspection, leftOut);
        if (parsed.GetValue(_html) is { } page)
        {
            AtomicFile.WriteAllText(page, GateReport.Page("What the memory did", inspection));
            Terminal.Note($"Page: {page}");
        }
        if (parsed.GetValue(_dump) is { } dump)
        {
            inspection.Dump(dump);
            Terminal.Note($"Tensors: {dump}");
        }
    }
}
