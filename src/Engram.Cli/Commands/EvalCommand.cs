using System.CommandLine;
using System.CommandLine.Parsing;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Code;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Storage;

namespace Engram.Cli.Commands;

/// <summary>Scores models on benchmarks.</summary>
internal sealed class EvalCommand : CliCommand
{
    private static readonly string[] Controls = ["none", "stem", "context"];

    private static readonly string[] Drawn = ["shuffled", "permuted", "random"];

    private readonly Argument<string[]> _models = new("MODEL")
    {
        Description = "Model folders, for example run/model; several stand side by side",
        Arity = ArgumentArity.ZeroOrMore,
    };
    private readonly Option<string?> _tasks = new("--tasks")
    {
        Description =
            "Names of tasks or groups, or paths of task files (.json), with commas between; * and ? stand for any letters (\"mmlu*\"); "
            + "engram eval --list names them",
        HelpName = "NAMES",
    };
    private readonly Option<string?> _dataRoot = new("--data-root")
    {
        Description = "The folder below which the files of benchmarks lie: originals, or snapshots of the Hugging Face hub",
        HelpName = "FOLDER",
    };
    private readonly Option<bool> _list = new("--list")
    {
        Description =
            "Say of every task, or of those of --tasks, where its files are looked for, what is there and what is missing; no model is needed",
    };
    private readonly Option<int?> _limit = new("--limit")
    {
        Description = "At most this many items of a task, the first; of each subject or set where a task has such parts [default: all]",
        HelpName = "N",
    };
    private readonly Option<int?> _shots = new("--shots")
    {
        Description = "Worked examples before an item [default: what the task says]",
        HelpName = "N",
    };
    private readonly Option<int?> _maxLength = new("--max-length")
    {
        Description =
            "Most tokens of a text; a longer prompt loses its beginning, for example to stay within the length that a model was trained on "
            + "[default: the model's max_position_embeddings, as in lm-evaluation-harness]",
        HelpName = "N",
    };
    private readonly Option<string> _memory = ModelInput.UseList(". A model without memory is scored once, as it is");
    private readonly Option<Suppression[]?> _suppress = SuppressOption.OfTasks();
    private readonly Option<int> _memorySeed = new("--memory-seed")
    {
        Description = "What is drawn for --memory shuffled, permuted and random",
        HelpName = "N",
        DefaultValueFactory = _ => MemoryBank.ControlSeed,
    };
    private readonly Option<string> _control = new("--control")
    {
        Description =
            "Counterfactual: stem or context takes the question or the passage from another item while the right answer stays, "
            + "so that a score shows what it reads; none,stem puts the items as they are beside it and compares both",
        HelpName = "PARTS",
        DefaultValueFactory = _ => "none",
    };
    private readonly Option<string?> _samples = new("--samples")
    {
        Description = "Write every item to this file (JSON Lines): prompt hash, options, scores, prediction, gold",
        HelpName = "FILE",
    };
    private readonly Option<bool> _prompts = new("--prompts")
    {
        Description = "Write into the lines of --samples also the prompt as text, and the choices as they are scored",
    };
    private readonly Option<int?> _showPrompts = new("--show-prompts")
    {
        Description = "Show the first N prompts of each task as a model would read them, and score nothing; no model is needed",
        HelpName = "N",
    };
    private readonly Option<string?> _output = new("--output")
    {
        Description = "Write what --json says to this file, beside the table",
        HelpName = "FILE",
    };
    private readonly Option<bool> _byPart = new("--by-part")
    {
        Description = "Show the scores of each subject or set as well, where a task has such parts; JSON always has them",
    };
    private readonly Option<bool> _resume = new("--resume")
    {
        Description = "Go on with the file of --samples: items in it are not asked again",
    };
    private readonly Option<int> _batch = new("--batch-size")
    {
        Description = "Texts that are generated side by side",
        HelpName = "N",
        DefaultValueFactory = _ => Scorer.Together,
    };
    private readonly Option<bool> _runCode = new("--run-code")
    {
        Description =
            "Run the programs that the model writes, in a separate process without rights, network or files; "
            + "without it, tasks that need it are not scored",
    };
    private readonly Option<string> _python = new("--python")
    {
        Description = "The interpreter of --run-code",
        HelpName = "PROGRAM",
        DefaultValueFactory = _ => "python3",
    };
    private readonly EvalModels _open = new();
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalCommand()
        : base(
            "eval",
            "Score models on benchmarks, or measure a loss.",
            "engram eval run/model --tasks arc_easy,piqa --data-root benchmarks --limit 200",
            "engram eval run/model other/model --tasks mmlu --data-root benchmarks --memory on,off --samples mmlu.jsonl",
            "engram eval run/model --tasks piqa,triviaqa --data-root benchmarks --suppress all --suppress order=3@prompt",
            "engram eval --show-prompts 2 --tasks gsm8k --data-root benchmarks",
            "engram eval --list --data-root benchmarks",
            "engram eval --list --tasks mine/capitals.json --data-root mine"
        )
    {
        Add(_models);
        foreach (
            var option in (Option[])
                [
                    _tasks,
                    _dataRoot,
                    _list,
                    _limit,
                    _shots,
                    _maxLength,
                    _memory,
                    _memorySeed,
                    _suppress,
                    _control,
                    _showPrompts,
                    _byPart,
                    _output,
                    _samples,
                    _prompts,
                    _resume,
                    _batch,
                    _runCode,
                    _python,
                ]
        )
            Add(option);
        _open.AddTo(this);
        Add(_json);
        Command[] others =
        [
            new EvalLossCommand(),
            new EvalLayersCommand(),
            new EvalRulerCommand(),
            new EvalLongPplCommand(),
            new EvalWorldCommand(),
        ];
        foreach (var command in others)
            Add(command);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_batch);
        CommonOptions.AtLeastOne(_showPrompts);
        CommonOptions.NotNegative(_memorySeed);
        Validators.Add(given =>
        {
            if (given.Children.Any(child => child is CommandResult))
                return; // a measurement of its own was asked for
            var list = given.GetValue(_list);
            if (!list && given.GetResult(_tasks) is null)
                given.AddError("Give --tasks, or --list to see them.");
            var show = given.GetResult(_showPrompts) is not null;
            if (list && show)
                given.AddError("Give --list or --show-prompts, not both.");
            if (show && given.GetResult(_models) is { Tokens.Count: > 0 })
                given.AddError("--show-prompts asks no model; leave MODEL out.");
            foreach (var option in show ? (Option[])[_samples, _output, _suppress, _byPart] : [])
                if (given.GetResult(option) is not null)
                    given.AddError($"--show-prompts scores nothing; leave {option.Name} out.");
            if (!list && !show && given.GetResult(_models) is not { Tokens.Count: > 0 })
                given.AddError("Give at least one model folder.");
            if (!list && given.GetResult(_dataRoot) is null)
                given.AddError("--tasks needs --data-root.");
            if (given.GetValue(_resume) && given.GetResult(_samples) is null)
                given.AddError("--resume needs --samples.");
            if (given.GetValue(_prompts) && given.GetResult(_samples) is null)
                given.AddError("--prompts needs --samples; --show-prompts shows prompts without a model.");
            foreach (var part in given.GetResult(_control) is { Implicit: false, Tokens: [{ Value: var parts }] } ? parts.Split(',') : [])
                if (!Controls.Contains(part))
                    given.AddError($"--control takes {string.Join(", ", Controls)}, not '{part}'.");
            if (given.GetResult(_python) is { Implicit: false } && !given.GetValue(_runCode))
                given.AddError("--python needs --run-code.");
            if (given.GetResult(_shots) is { Tokens: [{ Value: var shots }] } && int.TryParse(shots, out var number) && number < 0)
                given.AddError("--shots must not be negative.");
            if (given.GetResult(_models) is { } models && Twice(models.Tokens.Select(token => token.Value), ModelKey) is { } model)
                given.AddError($"MODEL: '{model}' stands there twice; a model is scored once for each use of its memory.");
            if (
                given.GetResult(_control) is { Implicit: false, Tokens: [{ Value: var control }] }
                && Twice(control.Split(','), part => part) is { } twice
            )
                given.AddError($"--control names '{twice}' twice.");
            if (given.GetResult(_suppress) is not null && given.GetResult(_memory)?.Tokens is [{ Value: "off" }])
                given.AddError("--suppress needs a memory that is on: one that is off has no part to silence.");
        });
    }

    public override string AfterInterruption(ParseResult parsed) =>
        parsed.GetValue(_samples) is { } samples
            ? $"What was scored stands in {samples}; the same command with --resume goes on."
            : "Nothing was written; --samples keeps what is scored.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_dataRoot) is { } root && !Directory.Exists(root))
            throw new DirectoryNotFoundException(
                $"There is no folder '{root}'; --data-root names the one below which the files of benchmarks lie."
            );
        if (parsed.GetValue(_list))
        {
            EvalListing.Write(
                TaskListing.Of(Tasks(parsed, cancellation), parsed.GetValue(_dataRoot), cancellation),
                parsed.GetValue(_json)
            );
            return;
        }

        var tasks = Tasks(parsed, cancellation);
        TaskControl[] controls =
        [
            .. parsed.GetRequiredValue(_control).Split(',').Select(part => Enum.Parse<TaskControl>(part, ignoreCase: true)),
        ];
        var options = new EvaluationOptions
        {
            DataRoot = parsed.GetValue(_dataRoot)!,
            Limit = parsed.GetValue(_limit),
            Shots = parsed.GetValue(_shots),
            MaxLength = parsed.GetValue(_maxLength),
            Together = parsed.GetValue(_batch),
            Prompts = parsed.GetValue(_prompts),
        };
        if (parsed.GetValue(_showPrompts) is { } count)
        {
            EvalPrompts.Write(
                [.. controls.SelectMany(control => TaskPrompt.Of(tasks, options with { Control = control }, count, cancellation))],
                parsed.GetValue(_json)
            );
            return;
        }

        var runs = parsed.GetRequiredValue(_models).Select(folder => RunOf(parsed, folder)).ToArray();
        RequireMemory(parsed, runs);
        if (parsed.GetValue(_output) is { } output)
            AtomicFile.RequireWritable(output);
        using var samples = EvalSamples.Open(parsed.GetValue(_samples), parsed.GetValue(_resume));
        options = options with
        {
            Samples = samples,
            Sandbox = parsed.GetValue(_runCode) ? OpenSandbox(parsed.GetRequiredValue(_python)) : null,
        };
        var (arms, retained, models) = (new List<EvalArm>(), new List<TaskRetention>(), new List<EvalModelRecord>());
        foreach (var run in runs)
        {
            using var model = _open.Open(parsed, run.Folder);
            models.Add(new EvalModelRecord(run.Folder, _open.EngineOf(parsed, run.Folder), run.Identity, model.Tokenizer.Fingerprint));
            var longest = 0;
            foreach (var use in run.Uses)
            {
                using var memory = ModelInput.Memory(model.Memory, use, seed: parsed.GetValue(_memorySeed));
                foreach (var control in controls)
                {
                    var whole = Score(model, memory.Bank, run, use, control, null);
                    foreach (var part in use == "off" ? [] : run.Parts)
                        retained.AddRange(TaskRetention.Of(tasks, whole, Score(model, memory.Bank, run, use, control, part)));
                    longest = Math.Max(longest, whole.Longest);
                }
            }
            NoteTrainedLength(run, longest);
        }
        EvalSamples.NoteTaken(samples, parsed.GetValue(_samples));
        Report(parsed, tasks, arms, retained, models);

        EvaluationResult Score(IScoredModel model, MemoryBank? memory, ModelRun run, string use, TaskControl control, Suppression? part)
        {
            var seed = parsed.GetValue(_memorySeed);
            var arm = options with
            {
                Model = run.Folder,
                ModelIdentity = run.Identity,
                Memory = use,
                MemorySeed = seed != MemoryBank.ControlSeed && Drawn.Contains(use) ? seed : null,
                Suppression = part,
                Control = control,
            };
            using var line = new ProgressLine<EvaluationProgress>(progress =>
                $"{run.Folder} (memory {use}{(part is null ? "" : $" without {part}")}): {progress.Task}, "
                + $"{progress.Items:N0} of {progress.OfItems:N0} items, "
                + $"{progress.TokensPerSecond:N0} tokens/s{TimeLeft.Of(progress.Remaining)}"
            );
            var result = TaskRunner.Run(model, memory, tasks, arm, line, cancellation);
            arms.Add(new EvalArm(run.Folder, use, control.ToString().ToLowerInvariant(), part?.ToString(), result));
            return result;
        }
    }

    private void Report(
        ParseResult parsed,
        IReadOnlyList<TaskFile> tasks,
        List<EvalArm> arms,
        List<TaskRetention> retained,
        List<EvalModelRecord> models
    )
    {
        EvalReport.NoteWhatIsMissing(arms, parsed.GetValue(_maxLength));
        var names = EvalReport.Names(arms);
        var comparisons = EvalComparisons.Of(tasks, arms, names);
        var record = new EvalRecord
        {
            Tasks = [.. tasks.Select(task => task.Task)],
            DataRoot = parsed.GetValue(_dataRoot)!,
            Limit = parsed.GetValue(_limit),
            Shots = parsed.GetValue(_shots),
            MaxLength = parsed.GetValue(_maxLength),
            RunCode = parsed.GetValue(_runCode),
            BatchSize = parsed.GetValue(_batch),
            Device = _open.DeviceOf(parsed),
            Threads = _open.ThreadsOf(parsed),
            Seeds = new EvalSeeds(parsed.GetValue(_memorySeed)),
            Models = models,
        };
        var json = EvalReport.Json(record, arms, comparisons, retained);
        if (parsed.GetValue(_output) is { } output)
            AtomicFile.WriteAllText(output, Terminal.JsonText(json) + "\n");
        if (parsed.GetValue(_json))
            Terminal.Json(json);
        else
            EvalReport.Write(arms, names, comparisons, retained, parsed.GetValue(_byPart));
    }

    /// <summary>The tasks that were asked for, or all.</summary>
    private IReadOnlyList<TaskFile> Tasks(ParseResult parsed, CancellationToken cancellation)
    {
        var names =
            parsed.GetValue(_tasks)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? TaskFiles.Names;
        return names.Count > 0
            ? UsageException.Of(() => TaskFiles.LoadAll(names, cancellation))
            : throw new UsageException("--tasks names no task.");
    }

    /// <summary>What two ways of writing a folder have in common.</summary>
    private static string ModelKey(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    private static string? Twice(IEnumerable<string> values, Func<string, string> key) =>
        values.GroupBy(key).FirstOrDefault(same => same.Count() > 1)?.Last();

    /// <summary>What is done with a model: uses of its memory and parts that are silenced. One without memory is scored once.</summary>
    private ModelRun RunOf(ParseResult parsed, string folder)
    {
        EvalModels.Require(folder);
        // Read before the work: a damaged note must not cost what was scored.
        var note = TrainingNote.Read(folder);
        var parts = parsed.GetValue(_suppress) ?? [];
        if (ModelConfiguration.Load(Path.Combine(folder, ModelFolder.ConfigurationFile)).Engram is not { } engram)
            return new ModelRun(folder, EvalModels.Identity(folder), note, [ModelInput.NoMemory], []);
        foreach (var part in parts)
            SuppressOption.Require(part, engram);
        return new ModelRun(folder, EvalModels.Identity(folder), note, [.. parsed.GetRequiredValue(_memory).Split(',')], parts);
    }

    /// <summary>Says once of a model that it has read texts longer than any that it was trained on.</summary>
    private static void NoteTrainedLength(ModelRun run, int longest)
    {
        if (run.Note is { } note && note.Length < longest)
            Terminal.Note(
                $"{run.Folder} was trained on texts of {note.Length:N0} tokens and has read up to {longest:N0} here: positions that were new to it. "
                    + $"--max-length {note.Length} cuts prompts to what it knows."
            );
    }

    /// <summary>Refuses controls that no model has a memory for, and says which models are scored without.</summary>
    private void RequireMemory(ParseResult parsed, ModelRun[] runs)
    {
        string[] controls =
        [
            .. ((Option[])[_memory, _suppress])
                .Where(option => parsed.GetResult(option) is { Implicit: false })
                .Select(option => option.Name),
        ];
        string[] without = [.. runs.Where(run => run.Uses is [ModelInput.NoMemory]).Select(run => run.Folder)];
        if (controls.Length == 0 || without.Length == 0)
            return;
        if (without.Length == runs.Length)
            throw new UsageException(
                $"{string.Join(" and ", without)}: no memory (config.json has no engram_* keys). Leave {string.Join(" and ", controls)} out, or name a model with one."
            );
        foreach (var folder in without)
            Terminal.Note($"{folder} has no memory: it is scored once, as it is.");
    }

    private sealed record ModelRun(string Folder, string Identity, TrainingNote? Note, string[] Uses, Suppression[] Parts);

    private static Sandbox OpenSandbox(string python)
    {
        try
        {
            return Sandbox.Open(python);
        }
        catch (NotSupportedException error)
        {
            throw new PlatformNotSupportedException(error.Message, error);
        }
    }
}
