using System.CommandLine;
using System.Diagnostics;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Ruler;
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
        Description = "Write every sample with its answer to this file (JSON Lines); those in it are not asked again",
        HelpName = "FILE",
    };
    private readonly Option<string?> _write = new("--write")
    {
        Description = "Write the samples to a folder, a file a task, and ask nothing; --model may then be any folder with a tokenizer.json",
        HelpName = "FOLDER",
    };
    private readonly Option<string> _memory = ModelInput.Use();
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalRulerCommand()
        : base(
            "ruler",
            "Ask a model what stands in long texts, with the 13 tasks of RULER.",
            "engram eval ruler --model run/model --length 4096 --limit 100",
            "engram eval ruler --model run/model --length 32768 --tasks niah_single_2,vt --essays novels --samples answers.jsonl",
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
        Add(_write);
        Add(_memory);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        Validators.Add(given =>
        {
            if (given.GetResult(_write) is not null && given.GetResult(_samples) is not null)
                given.AddError("--write asks nothing, so that there are no --samples.");
        });
    }

    public override string AfterInterruption(ParseResult parsed) =>
        parsed.GetValue(_samples) is null ? "Nothing was written." : "The same command goes on after the answers in the file.";

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
        }.Validated();
        var total = (options.Tasks.Count == 0 ? 13 : options.Tasks.Count) * options.Samples;
        var start = Stopwatch.GetTimestamp();
        using var line = new ProgressLine<int>(done => $"{done:N0} of {total:N0} samples{TimeLeft.Of(start, done, total)}");
        if (parsed.GetValue(_write) is { } folder)
        {
            RulerFiles.WriteItems(TokenizerInput.Open(_model.FolderOf(parsed), cancellation), options, folder, line, cancellation);
            Console.Out.WriteLine($"{total:N0} samples of at most {options.Length:N0} tokens in {folder}.");
            return;
        }

        var report = Ask(parsed, options, line, cancellation);
        line.Dispose();
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    report.Length,
                    report.Seed,
                    report.Tasks,
                    report.Categories,
                    report.Average,
                    Memory = parsed.GetRequiredValue(_memory),
                }
            );
        else
            Write(report);
    }

    private RulerReport Ask(ParseResult parsed, RulerOptions options, ProgressLine<int> line, CancellationToken cancellation)
    {
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
        if (parsed.GetValue(_samples) is not { } path)
            return RulerEvaluation.Run(model, memory.Bank, options, progress: line, cancellation: cancellation);
        var (file, known) = RulerFiles.OpenAnswers(path);
        using (file)
            return RulerEvaluation.Run(model, memory.Bank, options, known, answer => RulerFiles.Append(file, answer), line, cancellation);
    }

    private static void Write(RulerReport report)
    {
        var table = new Table().AddColumns(
            new TableColumn("task"),
            new TableColumn("category"),
            Number("score"),
            Number("samples"),
            Number("tokens read"),
            new TableColumn("material")
        );
        foreach (var task in report.Tasks)
            table.AddRow(
                task.Task,
                task.Category,
                $"{task.Score:F2}",
                $"{task.Samples:N0}",
                $"{task.MeanTokens:N0}",
                task.Comparable ? "comparable" : "own"
            );
        Terminal.Answer.Write(table);
        Console.Out.WriteLine(
            $"{string.Join("  ", report.Categories.Select(category => $"{category.Category} {category.Score:F2}"))}  mean of tasks "
                + $"{report.Average:F2} at {report.Length:N0} tokens"
        );
    }

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();
}
