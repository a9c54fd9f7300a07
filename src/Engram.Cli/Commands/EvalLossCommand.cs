using System.CommandLine;
using System.CommandLine.Parsing;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Losses;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Studies.Pages;
using Engram.Tokenization;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Loss on held-out text, with the memory on, off or exchanged for a control; by position on request.</summary>
internal sealed class EvalLossCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Option<string?> _data = new("--data")
    {
        Description = "A folder written by engram data prepare: its validation part is read",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _text = new("--text")
    {
        Description = "Text to read instead: a file, or a folder of files",
        HelpName = "PATH",
    };
    private readonly Option<string> _memory = ModelInput.Use();
    private readonly Option<Suppression?> _suppress = SuppressOption.OfTexts();
    private readonly Option<int> _limit = new("--limit")
    {
        Description = "At most this many sequences, evenly spaced",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.ValidationSequences,
    };
    private readonly Option<int> _length = new("--length")
    {
        Description = "Tokens of one sequence, at most the context of the model",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.Length,
    };
    private readonly Option<bool> _byPosition = new("--by-position")
    {
        Description = "The loss of tokens by how many they have before them",
    };
    private readonly Option<int> _bins = new("--bins")
    {
        Description = "With --by-position: parts of equal length that the positions are divided into",
        HelpName = "N",
        DefaultValueFactory = _ => 32,
    };
    private readonly Option<string[]> _also = new("--also")
    {
        Description = "With --by-position: other models on the same text; may stand several times",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _html = new("--html")
    {
        Description = "With --by-position: write a page with the curves and the numbers",
        HelpName = "FILE",
    };
    private readonly Option<string?> _svg = new("--svg")
    {
        Description = "With --by-position: write the curves as a picture",
        HelpName = "FILE",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalLossCommand()
        : base(
            "loss",
            "Measure the loss on the validation part of prepared data, or on any text. The sequences are the same for every model.",
            "engram eval loss --model run/model --data data --threads 1",
            "engram eval loss --model run/model --data data --memory off --json",
            "engram eval loss --model run/model --data data --suppress order=3",
            "engram eval loss --model run/model --text book.txt --length 512",
            "engram eval loss --model longer/model --also run/model --data data --length 512 --by-position --html positions.html"
        )
    {
        _model.AddFolderTo(this);
        foreach (var option in (Option[])[_data, _text, _memory, _suppress, _limit, _length, _byPosition, _bins, _also, _html, _svg])
            Add(option);
        _model.AddEngineTo(this);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_length);
        Validators.Add(Check);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_byPosition))
            ByPosition(parsed, cancellation);
        else
            Whole(parsed, cancellation);
    }

    private void Check(CommandResult given)
    {
        if (given.GetResult(_data) is null == given.GetResult(_text) is null)
            given.AddError("Give --data or --text.");
        foreach (var option in (Option[])[_bins, _also, _html, _svg])
            if (given.GetResult(option) is { Implicit: false } && given.GetResult(_byPosition) is null)
                given.AddError($"{option.Name} needs --by-position.");
        if (given.GetResult(_byPosition) is not null)
            _model.RequireLibTorch(given, "--by-position");
        if (given.GetResult(_also)?.Tokens.Count >= PositionLossReport.MostCurves)
            given.AddError($"--also may stand {PositionLossReport.MostCurves - 1} times.");
        if (given.GetResult(_bins) is { Implicit: false } && given.GetValue(_bins) < 1)
            given.AddError("--bins is at least 1.");
    }

    private void Whole(ParseResult parsed, CancellationToken cancellation)
    {
        using var held = Read(parsed, cancellation);
        RequireContext(_model.FolderOf(parsed), parsed.GetValue(_length));
        var use = parsed.GetRequiredValue(_memory);
        var loss = _model.IsManaged(parsed) ? ByManagedCode(parsed, held, cancellation) : ByLibTorch(parsed, held, cancellation);
        RequireFinite(loss.Nats);
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    loss.Nats,
                    loss.BitsPerByte,
                    Perplexity = Math.Exp(loss.Nats),
                    loss.Tokens,
                    Memory = use,
                    Suppressed = parsed.GetValue(_suppress)?.ToString(),
                }
            );
        else
            Console.Out.WriteLine(
                $"{loss.Nats:F4} nats per token, {loss.BitsPerByte:F4} bits per byte, perplexity {Math.Exp(loss.Nats):F2} over {loss.Tokens:N0} tokens (memory {use}{(parsed.GetValue(_suppress) is { } part ? $" without {part}" : "")})"
            );
    }

    private LossMeasurement ByManagedCode(ParseResult parsed, HeldOutText held, CancellationToken cancellation)
    {
        using var model = _model.OpenManaged(parsed);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory, parsed.GetValue(_suppress));
        return ValidationLoss.Measure(
            model,
            Text(parsed, held, model.Tokenizer, model.Configuration, cancellation),
            memory.Bank,
            cancellation
        );
    }

    private LossMeasurement ByLibTorch(ParseResult parsed, HeldOutText held, CancellationToken cancellation)
    {
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory, parsed.GetValue(_suppress));
        return ValidationLoss.Measure(
            model,
            Text(parsed, held, model.Tokenizer, model.Configuration, cancellation),
            memory.Bank,
            cancellation
        );
    }

    private void ByPosition(ParseResult parsed, CancellationToken cancellation)
    {
        using var held = Read(parsed, cancellation);
        var (use, curves) = (parsed.GetRequiredValue(_memory), new List<PositionCurve>());
        string[] folders = [_model.FolderOf(parsed), .. parsed.GetValue(_also) ?? []];
        foreach (var output in (string?[])[parsed.GetValue(_html), parsed.GetValue(_svg)])
            if (output is not null)
                AtomicFile.RequireWritable(output);
        // Before minutes are spent on the first model.
        foreach (var folder in folders)
            RequireContext(folder, parsed.GetValue(_length));
        foreach (var folder in folders)
        {
            using var model = _model.Open(parsed, folder);
            using var memory = ModelInput.Memory(parsed, _memory, model.Memory, parsed.GetValue(_suppress));
            var text = Text(parsed, held, model.Tokenizer, model.Configuration, cancellation);
            using var line = new ProgressLine<int>(done => $"{folder}: {done:N0} of {text.Sequences:N0} sequences");
            curves.Add(
                new PositionCurve(folder, LossByPosition.Measure(model, text, parsed.GetValue(_bins), memory.Bank, line, cancellation))
            );
            foreach (var loss in curves[^1].Losses)
                RequireFinite(loss.Nats);
        }
        var source = parsed.GetValue(_data) ?? parsed.GetValue(_text)!;
        if (parsed.GetValue(_html) is { } page)
            AtomicFile.WriteAllText(page, PositionLossReport.Page(source, curves));
        if (parsed.GetValue(_svg) is { } picture)
            AtomicFile.WriteAllText(picture, PositionLossReport.Svg(curves));
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    Text = source,
                    Length = parsed.GetValue(_length),
                    Memory = use,
                    Suppressed = parsed.GetValue(_suppress)?.ToString(),
                    Models = curves.Select(curve => new { Model = curve.Name, Positions = curve.Losses.Select(Row) }),
                }
            );
        else
            Write(curves);
    }

    /// <summary>A single sequence has no spread: JSON has no NaN.</summary>
    private static object Row(PositionLoss loss) =>
        new
        {
            loss.First,
            loss.Positions,
            loss.Nats,
            StandardError = double.IsNaN(loss.StandardError) ? (double?)null : loss.StandardError,
            loss.Tokens,
        };

    private static void Write(List<PositionCurve> curves)
    {
        var table = new Table()
            .AddColumn(new TableColumn("tokens before").RightAligned())
            .AddColumns([.. curves.Select(curve => new TableColumn(Markup.Escape(curve.Name)).RightAligned())]);
        for (var bin = 0; bin < curves[0].Losses.Count; bin++)
        {
            var (first, positions) = (curves[0].Losses[bin].First, curves[0].Losses[bin].Positions);
            table.AddRow([
                $"{first:N0} to {first + positions - 1:N0}",
                .. curves.Select(curve => $"{curve.Losses[bin].Nats:F4} ± {curve.Losses[bin].StandardError:F4}"),
            ]);
        }
        Terminal.Answer.Write(table);
    }

    private HeldOutText Read(ParseResult parsed, CancellationToken cancellation) =>
        new(parsed.GetValue(_data), parsed.GetValue(_text), cancellation);

    private EvaluationText Text(
        ParseResult parsed,
        HeldOutText text,
        Tokenizer tokenizer,
        ModelConfiguration configuration,
        CancellationToken cancellation
    ) => text.For(tokenizer, configuration, parsed.GetValue(_length), parsed.GetValue(_limit), cancellation);

    /// <summary>Refuses sequences that a model has no positions for. What is missing of the folder is told when it is opened.</summary>
    private static void RequireContext(string folder, int length)
    {
        var file = Path.Combine(folder, ModelFolder.ConfigurationFile);
        if (File.Exists(file) && ModelConfiguration.Load(file).MaxPositionEmbeddings is var context && context < length)
            throw new UsageException(
                $"--length: max_position_embeddings of {folder} is {context}, too little for sequences of {length}: take shorter ones, or "
                    + "extend the context with engram train --init MODEL --extend-context N."
            );
    }

    private static void RequireFinite(double nats)
    {
        if (!double.IsFinite(nats))
            throw new InvalidDataException(
                $"The loss is {nats}: weights or tables of the model hold values that are not finite. engram table verify finds those of tables."
            );
    }
}
