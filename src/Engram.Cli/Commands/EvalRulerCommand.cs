using System.CommandLine;
using System.Diagnostics;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Ruler;
using Engram.Evaluation.Scoring;
using Engram.Models.Memory;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>RULER at a length: needles, variables, word counts and questions, made for the model's own tokenizer.</summary>
internal sealed class EvalRulerCommand : CliCommand
{
    private static readonly RulerOptions Defaults = new();

    private readonly ModelInput _model = new();
    private readonly Option<int> _length = new("--length")
    {
        Description = "Most tokens of a sample, its answer included",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Length,
    };
    private readonly Option<int> _limit = new("--limit")
    {
        Description = "Samples of each task",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Samples,
    };
    private readonly Option<long> _seed = new("--seed")
    {
        Description = "What the samples follow from",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Seed,
    };
    private readonly Option<string?> _tasks = new("--tasks")
    {
        Description = "Names of tasks, divided by commas [default: all 13]",
        HelpName = "LIST",
    };
    private readonly Option<string?> _material = new("--material")
    {
        Description =
            "A folder with any of essays/, wonderwords/, squad/ and hotpotqa/; for what it lacks own replacements are made, whose scores "
            + "stand for themselves",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _essays = new("--essays")
    {
        Description = "Prose for haystacks: a file, a folder, or dotnet-docs",
        HelpName = "SOURCE",
    };
    private readonly Option<string?> _samples = new("--samples")
    {
        Description = "Write every sample with its answer to this file (JSON Lines)",
        HelpName = "FILE",
    };
    private readonly Option<bool> _resume = new("--resume")
    {
        Description =
            "Go on with the file of --samples: answers in it to the same sample by the same model, memory and part are not asked again",
    };
    private readonly Option<string?> _write = new("--write")
    {
        Description = "Write the samples to a folder, a file a task, and ask nothing; --model may then be any folder with a tokenizer.json",
        HelpName = "FOLDER",
    };
    private readonly Option<string> _memory = ModelInput.UseList();
    private readonly Option<Suppression?> _suppress = SuppressOption.OfQuestions();
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalRulerCommand()
        : base(
            "ruler",
            "Ask a model what stands in long texts, with the 13 tasks of RULER.",
            "engram eval ruler --model run/model --length 4096 --limit 100",
            "engram eval ruler --model run/model --length 32768 --tasks niah_single_2,vt --essays novels --samples answers.jsonl",
            "engram eval ruler --model run/model --length 4096 --memory on,off,shuffled",
            "engram eval ruler --model run/model --length 4096 --write samples"
        )
    {
        _model.AddFolderTo(this);
        Add(_length);
        Add(_limit);
        Add(_seed);
        Add(_tasks);
        Add(_material);
        Add(_essays);
        Add(_samples);
        Add(_resume);
        Add(_write);
        Add(_memory);
        Add(_suppress);
        _model.AddEngineTo(this);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        Validators.Add(given =>
        {
            if (given.GetResult(_write) is not null && given.GetResult(_samples) is not null)
                given.AddError("--write asks nothing, so that there are no --samples.");
            if (given.GetValue(_resume) && given.GetResult(_samples) is null)
                given.AddError("--resume needs --samples.");
            ModelInput.RefuseSilenceOfNothing(given, _suppress, _memory);
        });
    }

    public override string AfterInterruption(ParseResult parsed) =>
        parsed.GetValue(_samples) is { } samples
            ? $"What was answered stands in {samples}; the same command with --resume goes on."
            : "Nothing was written; --samples keeps what is answered.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var options = new RulerOptions
        {
            Length = parsed.GetValue(_length),
            Samples = parsed.GetValue(_limit),
            Seed = parsed.GetValue(_seed),
            Tasks = parsed.GetValue(_tasks)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [],
            Material = parsed.GetValue(_material),
            Essays = parsed.GetValue(_essays) is { } essays ? CorpusInput.Open(essays, null, cancellation) : null,
            Suppression = parsed.GetValue(_suppress),
        }.Validated();
        if (parsed.GetValue(_write) is { } folder)
        {
            WriteSamples(parsed, options, folder, cancellation);
            return;
        }

        var reports = Ask(parsed, options, cancellation);
        if (parsed.GetValue(_json))
            Terminal.Json(
                reports.Select(entry => new
                {
                    entry.Memory,
                    Suppressed = options.Suppression?.ToString(),
                    entry.Report.Length,
                    entry.Report.Seed,
                    entry.Report.Tasks,
                    entry.Report.Categories,
                    entry.Report.Average,
                })
            );
        else
            Write(reports);
    }

    private void WriteSamples(ParseResult parsed, RulerOptions options, string folder, CancellationToken cancellation)
    {
        var total = (options.Tasks.Count == 0 ? 13 : options.Tasks.Count) * options.Samples;
        var start = Stopwatch.GetTimestamp();
        using (var line = new ProgressLine<int>(done => $"{done:N0} of {total:N0} samples{TimeLeft.Of(start, done, total)}"))
            RulerFiles.WriteItems(TokenizerInput.Open(_model.FolderOf(parsed), cancellation), options, folder, line, cancellation);
        Console.Out.WriteLine($"{total:N0} samples of at most {options.Length:N0} tokens in {folder}.");
    }

    private List<(string Memory, RulerReport Report)> Ask(ParseResult parsed, RulerOptions options, CancellationToken cancellation)
    {
        using IScoredModel model = _model.IsManaged(parsed)
            ? new ManagedModel(_model.OpenManaged(parsed))
            : new TorchModel(_model.Open(parsed));
        var uses = ModelInput.UsesOf(parsed, _memory, model.Memory);
        if (options.Suppression is { } part)
            SuppressOption.Require(part, model.Configuration.Engram);
        if (options.Length > model.Configuration.MaxPositionEmbeddings)
            throw new UsageException(
                $"--length: The model's context is {model.Configuration.MaxPositionEmbeddings:N0} tokens, fewer than {options.Length:N0}. Ask for "
                    + "less, with --tasks for what fits there, or train the model on longer texts: engram train --init MODEL "
                    + $"--extend-context {options.Length}."
            );
        using var answers = EvalSamples.Open(parsed.GetValue(_samples), parsed.GetValue(_resume));
        var reports = new List<(string, RulerReport)>();
        foreach (var use in uses)
        {
            using var memory = ModelInput.Memory(model.Memory, use);
            using var line = new ProgressLine<RulerProgress>(progress =>
                $"memory {use}: {progress.Samples:N0} of {progress.OfSamples:N0} samples{TimeLeft.Of(progress.Remaining)}"
            );
            var asked = options with
            {
                Model = _model.FolderOf(parsed),
                ModelIdentity = EvalModels.Identity(_model.FolderOf(parsed)),
                Memory = use,
                Answers = answers,
            };
            reports.Add((use, RulerEvaluation.Run(model, memory.Bank, asked, line, cancellation)));
        }
        EvalSamples.NoteTaken(answers, parsed.GetValue(_samples));
        return reports;
    }

    private static void Write(List<(string Memory, RulerReport Report)> reports)
    {
        var alone = reports.Count == 1;
        var table = new Table()
            .AddColumns(new TableColumn("task"), new TableColumn("category"))
            .AddColumns([.. reports.Select(entry => Number(alone ? "score" : $"score, {entry.Memory}"))])
            .AddColumns(Number("samples"), Number("tokens read"), new TableColumn("material"));
        for (var i = 0; i < reports[0].Report.Tasks.Count; i++)
        {
            var task = reports[0].Report.Tasks[i];
            table.AddRow([
                task.Task,
                task.Category,
                .. reports.Select(entry => $"{entry.Report.Tasks[i].Score:F2}"),
                $"{task.Samples:N0}",
                $"{task.MeanTokens:N0}",
                Material(task),
            ]);
        }
        Terminal.Answer.Write(table);
        foreach (var (memory, report) in reports)
            Console.Out.WriteLine(
                $"{(alone ? "" : $"memory {memory}: ")}{string.Join("  ", report.Categories.Select(category => $"{category.Category} {category.Score:F2}"))}  "
                    + $"mean of tasks {report.Average:F2} at {report.Length:N0} tokens"
            );
    }

    /// <summary>What of a task's material the user gave and what is this project's; no task has the published wording.</summary>
    private static string Material(RulerTaskScore task) =>
        task.GivenMaterial.Count + task.OwnMaterial.Count == 0
            ? "needs none"
            : string.Join(", ", task.GivenMaterial.Select(name => $"given {name}").Concat(task.OwnMaterial.Select(name => $"own {name}")));

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();
}
