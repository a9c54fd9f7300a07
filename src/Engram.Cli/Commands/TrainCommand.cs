using System.CommandLine;
using System.CommandLine.Parsing;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Recipes;
using Engram.Torch.Native;
using Engram.Training;

namespace Engram.Cli.Commands;

/// <summary>
/// Trains a model. Values that are not given are those of the run that is resumed, of the preset's recipe, or the defaults of <see
/// cref="TrainingOptions"/>.
/// </summary>
internal sealed class TrainCommand : CliCommand
{
    /// <summary>
    /// What the learning rate of a model that is trained further has been at last, if nothing else was asked for: 5 % of the default.
    /// </summary>
    private const double LastRate = 3e-4;

    private readonly Option<string?> _preset = new("--preset")
    {
        Description = $"The model: {string.Join(", ", Presets.Names)}",
        HelpName = "NAME",
    };
    private readonly Option<string?> _config = new("--config") { Description = "The model: a config.json", HelpName = "FILE" };
    private readonly Option<string?> _init = new("--init")
    {
        Description =
            $"The model: a finished one, whose weights the run begins with; --learning-rate is then {LastRate} unless given, the last one "
            + "of a run with defaults",
        HelpName = "FOLDER",
    };
    private readonly ContextOptions _context = new();
    private readonly Option<string> _data = CorpusInput.Prepared();
    private readonly Option<string> _run = new("--run")
    {
        Description = "The folder of the run: checkpoints, metrics and in the end the model",
        HelpName = "FOLDER",
        Required = true,
    };
    private readonly Option<long?> _steps = new("--steps")
    {
        Description = "Updates [default: those of the preset's recipe]",
        HelpName = "N",
    };
    private readonly Option<long?> _tokens = new("--tokens")
    {
        Description = "Training tokens, instead of --steps; rounded up to whole updates",
        HelpName = "N",
    };
    private readonly IReadOnlyList<TrainSetting> _settings = TrainSettings.All();
    private readonly Option<bool> _resume = new("--resume")
    {
        Description = "Continue the run in the folder; everything but --run, --data and --device may then be left out",
    };
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int?> _threads = CommonOptions.Threads("one per core; with --resume, what the run began with");
    private readonly Option<bool> _json = CommonOptions.Json();

    public TrainCommand()
        : base(
            "train",
            "Train a model. Ctrl-C writes a checkpoint; --resume continues as if nothing had happened.",
            "engram train --preset quickstart-engram --data data --run run --steps 1000 --threads 1",
            "engram train --config config.json --data data --run run --tokens 10000000 --validate-every 200 --checkpoint-every 200",
            "engram train --preset engram-27b --data data --run run",
            "engram train --init run/model --extend-context 4096 --length 4096 --batch-size 1 --data data --run longer --steps 200",
            "engram train --data data --run run --resume"
        )
    {
        Option[] all =
        [
            _preset,
            _config,
            _init,
            .. _context.All,
            _data,
            _run,
            _steps,
            _tokens,
            .. _settings.Select(setting => setting.Option),
            _resume,
            _device,
            _threads,
            _json,
        ];
        foreach (var option in all)
            Add(option);
        Validators.Add(CheckAlternatives);
    }

    public override string AfterInterruption(ParseResult parsed)
    {
        var device = parsed.GetValue(_device) is var name and not "cpu" ? $" --device {name}" : "";
        // What a run begins with it records; what it goes on with it does not.
        var threads = parsed.GetValue(_resume) && parsed.GetValue(_threads) is { } count ? $" --threads {count}" : "";
        var run = parsed.GetRequiredValue(_run);
        if (!File.Exists(Path.Combine(run, "train.json")))
            return "No run has begun: the same command begins it.";
        return $"{(Trainer.HasCheckpoint(run) ? "Continue with" : "There is no checkpoint yet; begin anew with")}: engram train --data {Terminal.Word(parsed.GetRequiredValue(_data))} --run "
            + $"{Terminal.Word(run)}{device}{threads} --resume";
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        try
        {
            Train(parsed, cancellation);
        }
        catch (TrainingOptionException error) when (OptionOf(error.Option) is { } option)
        {
            throw new UsageException(error.MessageFor(option.Name), error);
        }
    }

    /// <summary>The options that are properties of the training.</summary>
    internal IReadOnlyList<TrainSetting> Settings => _settings;

    private Option? OptionOf(string property) =>
        property == nameof(TrainingOptions.Steps) ? _steps : _settings.FirstOrDefault(setting => setting.Property == property)?.Option;

    private void Train(ParseResult parsed, CancellationToken cancellation)
    {
        var run = parsed.GetRequiredValue(_run);
        if (File.Exists(run))
            throw new IOException($"{run} is a file; --run takes a folder, which is made if it is not there.");
        var begun = File.Exists(Path.Combine(run, "train.json"));
        if (begun && !parsed.GetValue(_resume))
            throw new IOException($"{run} already holds a run: continue it with --resume, or choose another folder with --run.");
        var before = begun ? Trainer.ThreadsBefore(run) : null;
        var options = (
            OptionsOf(parsed, begun ? Path.Combine(run, "train.json") : null) with
            {
                Threads = parsed.GetValue(_threads) ?? before,
            }
        ).Validated();
        using var corpus = PreparedCorpus.Open(parsed.GetRequiredValue(_data));
        var init = begun ? null : parsed.GetValue(_init);
        var configuration = ConfigurationOf(parsed, begun ? Path.Combine(run, "config.json") : null, corpus, cancellation);
        var device = Devices.Parse(parsed.GetRequiredValue(_device));
        if (before is not null && before != options.Threads && TrainingResult.Read(run) is null)
            Terminal.Note(
                $"The run was trained with --threads {before} so far, and goes on with {options.Threads}: its last bits may differ from "
                    + "those of an undisturbed run."
            );
        if (TrainingResult.Read(run) is { } finished && finished.Steps == options.Steps)
            Terminal.Note($"The run is finished: nothing is trained. A greater --steps than {finished.Steps:N0} lengthens it.");
        // One that is to end does not take the run's lock any more: a study that was killed as this process began may go on by now.
        cancellation.ThrowIfCancellationRequested();
        TrainingResult result;
        double? validation = null;
        using (var line = new ProgressLine<TrainingProgress>(Describe, progress => progress.ValidationLoss is not null))
            result = Trainer.Run(
                new TrainingSetup(configuration, corpus, options, run, device, parsed.GetValue(_resume), init),
                line,
                cancellation,
                Terminal.Note
            );
        if (parsed.GetValue(_json))
            Console.Out.WriteLine(result.ToJson());
        else
            Write(result, configuration, corpus);

        string Describe(TrainingProgress progress)
        {
            validation = progress.ValidationLoss ?? validation;
            return $"step {progress.Step:N0}/{progress.Steps:N0}  loss "
                + $"{progress.Loss:F3}{(validation is { } loss ? $"  validation {loss:F3}" : "")}"
                + $"  {progress.TokensPerSecond:N0} tokens/s  {progress.PeakShare:P0} of matmul peak"
                + $"  {TimeLeft.Clock(progress.Remaining)} left";
        }
    }

    /// <summary>What the command line asks for.</summary>
    /// <param name="parsed">Options of this command.</param>
    /// <param name="recorded">The options' file of a run that has begun, or null.</param>
    internal TrainingOptions OptionsOf(ParseResult parsed, string? recorded)
    {
        var (preset, steps, tokens) = (parsed.GetValue(_preset), parsed.GetValue(_steps), parsed.GetValue(_tokens));
        if (recorded is null && preset is null && steps is null && tokens is null)
            throw NothingToResume(parsed, "--steps or --tokens");
        var options =
            recorded is not null ? TrainingOptions.FromJson(File.ReadAllText(recorded), recorded)
            : preset is not null ? new TrainingOptions(UsageException.Of(() => PresetRecipe.Of(preset)).Recipe)
            : TrainSetting.Defaults;
        if (recorded is null && parsed.GetValue(_init) is not null)
            options = options with { LearningRate = LastRate };
        var recipe = options.WarmupSteps;
        // Set again with the length of the run, which is its limit.
        options = _settings.Aggregate(options with { WarmupSteps = null }, (so, setting) => setting.Apply(parsed, so));
        var warmup = options.WarmupSteps;
        options = options with { WarmupSteps = null };
        var updates = tokens is { } count
            ? (count + options.Validated().TokensPerStep - 1) / options.TokensPerStep
            : steps ?? options.Steps;
        // A recipe's warm-up belongs to the recipe's length: a much shorter run has one of its own.
        return options with { Steps = updates, WarmupSteps = warmup ?? (recorded is null && recipe > updates ? null : recipe) };
    }

    private ModelConfiguration ConfigurationOf(
        ParseResult parsed,
        string? recorded,
        PreparedCorpus corpus,
        CancellationToken cancellation
    ) =>
        parsed.GetValue(_preset) is { } preset ? VocabularyFit.Fit(Presets.Load(preset), corpus)
        : parsed.GetValue(_config) is { } file ? FromFile(file, cancellation)
        : parsed.GetValue(_init) is { } model ? _context.Apply(parsed, ModelFolder.Open(model).Configuration)
        : recorded is not null ? ModelConfiguration.Load(recorded)
        : throw NothingToResume(parsed, "--preset, --config or --init");

    private static ModelConfiguration FromFile(string given, CancellationToken cancellation)
    {
        InputFile.RequireNoPipe(given, cancellation);
        return ModelConfiguration.Load(Directory.Exists(given) ? Path.Combine(given, "config.json") : given);
    }

    private DirectoryNotFoundException NothingToResume(ParseResult parsed, string missing) =>
        new($"{parsed.GetValue(_run)} holds no run to resume: give {missing} to begin one, or check --run.");

    private void CheckAlternatives(CommandResult given)
    {
        var resume = given.GetValue(_resume);
        One(resume, "only --resume knows them from the run", _preset, _config, _init);
        One(resume || given.GetResult(_preset) is not null, "only a preset has a recipe that says how many", _steps, _tokens);
        foreach (var option in _context.All)
            if (given.GetResult(option) is not null && given.GetResult(_init) is null)
                given.AddError($"{option.Name} needs --init.");
        foreach (var option in _context.Details)
            if (given.GetResult(option) is not null && given.GetResult(_context.Length) is null)
                given.AddError($"{option.Name} needs {_context.Length.Name}.");

        void One(bool known, string otherwise, params Option[] options)
        {
            Option[] there = [.. options.Where(option => given.GetResult(option) is not null)];
            if (there.Length > 1)
                given.AddError($"Give {there[0].Name} or {there[1].Name}, not both.");
            var names = string.Join(" or ", new[] { string.Join(", ", options[..^1].Select(option => option.Name)), options[^1].Name });
            if (there.Length == 0 && !known)
                given.AddError($"Give {names} ({otherwise}).");
        }
    }

    private static void Write(TrainingResult result, ModelConfiguration model, PreparedCorpus corpus)
    {
        Console.Out.WriteLine($"validation loss  {result.ValidationLoss:F4} nats per token, {result.BitsPerByte:F4} bits per byte");
        Console.Out.WriteLine(
            $"vocabulary       {model.VocabularySize:N0} ids; the tokenizer of {corpus.Folder} has {corpus.Tokenizer.VocabularySize:N0}"
        );
        Console.Out.WriteLine(
            $"trained          {result.Steps:N0} {(result.Steps == 1 ? "update" : "updates")}, {result.Tokens:N0} tokens in "
                + $"{TimeLeft.Clock(TimeSpan.FromSeconds(result.Seconds))}"
        );
        Console.Out.WriteLine(
            $"speed            {result.TokensPerSecond:N0} tokens/s, {result.PeakShare:P0} of the measured matmul peak of "
                + $"{result.MatmulPeakFlops / 1e9:N0} GFLOP/s"
        );
        Console.Out.WriteLine($"model            {result.ModelFolder}");
        Console.Out.WriteLine($"Next: engram generate --model {Terminal.Word(result.ModelFolder)} --prompt \"...\"");
    }
}
