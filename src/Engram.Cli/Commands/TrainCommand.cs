using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Engram.Cli.CommandLine;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch.Native;
using Engram.Tables.Training;
using Engram.Training;
using Engram.Corpora;
using Engram.Training.Optimizers;

namespace Engram.Cli.Commands;

/// <summary>Trains a model. Values that are not given are those of the run that is resumed, or the defaults.</summary>
internal sealed class TrainCommand : CliCommand
{
    /// <summary>What a run has unless told otherwise. The number of updates has no default; the learning rate is the one tuned on small models.</summary>
    public static readonly TrainingOptions Defaults = new() { Steps = 1, LearningRate = 6e-3 };

    private static readonly Dictionary<string, LearningRateDecay> Decays = new() { ["linear"] = LearningRateDecay.Linear, ["steps"] = LearningRateDecay.Steps };

    private static readonly Dictionary<string, MatrixOptimizer> MatrixOptimizers = new() { ["muon"] = MatrixOptimizer.Muon, ["adamw"] = MatrixOptimizer.AdamW };

    private static readonly Dictionary<string, TableOptimizer> Optimizers = new()
    {
        ["adam"] = TableOptimizer.Adam, ["adagrad"] = TableOptimizer.Adagrad, ["sinkhorn"] = TableOptimizer.Sinkhorn,
    };

    private static readonly Dictionary<string, MomentFormat> Moments = new() { ["float32"] = MomentFormat.Float32, ["bfloat16"] = MomentFormat.BFloat16 };

    private static readonly Dictionary<string, TableLocation> Locations = new() { ["memory"] = TableLocation.Memory, ["mapped"] = TableLocation.Mapped };

    private readonly Option<string?> _preset = new("--preset") { Description = $"The model: {string.Join(", ", Presets.Names)}", HelpName = "NAME" };
    private readonly Option<string?> _config = new("--config") { Description = "The model: a config.json", HelpName = "FILE" };
    private readonly Option<string> _data = CorpusInput.Prepared();
    private readonly Option<string> _run = new("--run") { Description = "The folder of the run: checkpoints, metrics and in the end the model", HelpName = "FOLDER", Required = true };
    private readonly Option<long?> _steps = new("--steps") { Description = "Updates", HelpName = "N" };
    private readonly Option<long?> _tokens = new("--tokens") { Description = "Training tokens, instead of --steps; rounded up to whole updates", HelpName = "N" };
    private readonly Option<int?> _sequences = Number<int>("--sequences", "Sequences of one micro-batch", Defaults.Sequences);
    private readonly Option<int?> _length = Number<int>("--length", "Tokens of one sequence", Defaults.Length);
    private readonly Option<int?> _accumulation = Number<int>("--accumulation", "Micro-batches per update", Defaults.AccumulationSteps);
    private readonly Option<double?> _learningRate = Number<double>("--learning-rate", "Peak learning rate; small models like much higher ones than the 4e-4 of the published ones", Defaults.LearningRate);
    private readonly Option<long?> _warmup = new("--warmup") { Description = "Updates over which the learning rate rises to its peak [default: 5 % of all, at most 2000]", HelpName = "N" };
    private readonly Option<string?> _decay = Choice("--decay", "How the learning rate falls: linearly over the second half to 5 %, or in steps to 31.6 % after 80 % of the updates and to 10 % after 90 %", Decays);
    private readonly Option<string?> _matrixOptimizer = Choice("--matrix-optimizer", "Optimizer of the hidden matrices; vocabulary and vectors have AdamW", MatrixOptimizers);
    private readonly Option<double?> _weightDecay = Number<double>("--weight-decay", "Decoupled weight decay of matrices and vocabulary", Defaults.WeightDecay);
    private readonly Option<double?> _clip = Number<double>("--clip", "Largest global gradient norm, tables included", Defaults.ClipNorm);
    private readonly Option<double?> _tableRate = Number<double>("--table-lr-multiplier", "Learning rate of the tables as a multiple of the others'; 0 freezes them", Defaults.TableLearningRateMultiplier);
    private readonly Option<string?> _tableOptimizer = Choice("--table-optimizer", "Optimizer of the tables", Optimizers);
    private readonly Option<string?> _tableMoments = Choice("--table-moments", "How the moments of the tables are stored; adagrad has none", Moments);
    private readonly Option<string?> _tables = Choice("--tables", "Where the tables live while they are trained: mapped files may be larger than memory. The results are the same", Locations);
    private readonly Option<long?> _seed = Number<long>("--seed", "Seed of starting values and data order", Defaults.Seed);
    private readonly Option<long?> _validateEvery = Number<long>("--validate-every", "Updates between validations; 0 validates at the end only", Defaults.ValidateEvery);
    private readonly Option<int?> _validationSequences = Number<int>("--validation-sequences", "Sequences of one validation", Defaults.ValidationSequences);
    private readonly Option<long?> _checkpointEvery = Number<long>("--checkpoint-every", "Updates between checkpoints; 0 writes one only when interrupted", Defaults.CheckpointEvery);
    private readonly Option<int?> _keepCheckpoints = Number<int>("--keep-checkpoints", "Newest checkpoints that are kept", Defaults.KeepCheckpoints);
    private readonly Option<bool> _resume = new("--resume") { Description = "Continue the run in the folder; everything but --run, --data and --device may then be left out" };
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int?> _threads = CommonOptions.Threads("one per core; with --resume, what the run began with");
    private readonly Option<bool> _json = CommonOptions.Json();

    public TrainCommand() : base("train", "Train a model. Ctrl-C writes a checkpoint; --resume continues as if nothing had happened.",
        "engram train --preset quickstart-engram --data data --run run --steps 1000 --threads 1",
        "engram train --config config.json --data data --run run --tokens 10000000 --validate-every 200 --checkpoint-every 200",
        "engram train --preset small-engram --data data --run run --steps 20000 --learning-rate 4e-4 --warmup 2000 --decay steps",
        "engram train --data data --run run --resume")
    {
        foreach (var option in (Option[])[_preset, _config, _data, _run, _steps, _tokens, _sequences, _length, _accumulation, _learningRate, _warmup, _decay,
            _matrixOptimizer, _weightDecay, _clip, _tableRate, _tableOptimizer, _tableMoments, _tables, _seed, _validateEvery, _validationSequences, _checkpointEvery, _keepCheckpoints, _resume, _device, _threads, _json]) Add(option);
        Validators.Add(CheckAlternatives);
    }

    public override string AfterInterruption(ParseResult parsed)
    {
        var device = parsed.GetValue(_device) is var name and not "cpu" ? $" --device {name}" : "";
        // What a run begins with it records; what it goes on with it does not.
        var threads = parsed.GetValue(_resume) && parsed.GetValue(_threads) is { } count ? $" --threads {count}" : "";
        return $"Continue with: engram train --data {parsed.GetValue(_data)} --run {parsed.GetValue(_run)}{device}{threads} --resume";
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var run = parsed.GetRequiredValue(_run);
        if (File.Exists(run))
            throw new IOException($"{run} is a file; --run takes a folder, which is made if it is not there.");
        var begun = File.Exists(Path.Combine(run, "train.json"));
        if (begun && !parsed.GetValue(_resume))
            throw new IOException($"{run} already holds a run: continue it with --resume, or choose another folder with --run.");
        var before = begun ? Trainer.ThreadsBefore(run) : null;
        var options = (TrainingOptionsOf(parsed, begun ? Path.Combine(run, "train.json") : null) with { Threads = parsed.GetValue(_threads) ?? before }).Validated();
        var configuration = ConfigurationOf(parsed, begun ? Path.Combine(run, "config.json") : null);
        using var corpus = PreparedCorpus.Open(parsed.GetRequiredValue(_data));
        var device = Devices.Parse(parsed.GetRequiredValue(_device));
        if (before is not null && before != options.Threads && TrainingResult.Read(run) is null)
            Terminal.Note($"The run was trained with --threads {before} so far, and goes on with {options.Threads}: its last bits may differ from those of an undisturbed run.");
        TrainingResult result;
        double? validation = null;
        using (var line = new ProgressLine<TrainingProgress>(Describe, progress => progress.ValidationLoss is not null))
            result = Trainer.Run(new TrainingSetup(configuration, corpus, options, run, device, parsed.GetValue(_resume)), line, cancellation);
        if (parsed.GetValue(_json)) Console.Out.WriteLine(result.ToJson());
        else Write(result);

        string Describe(TrainingProgress progress)
        {
            validation = progress.ValidationLoss ?? validation;
            return $"step {progress.Step:N0}/{progress.Steps:N0}  loss {progress.Loss:F3}{(validation is { } loss ? $"  validation {loss:F3}" : "")}"
                + $"  {progress.TokensPerSecond:N0} tokens/s  {progress.PeakShare:P0} of matmul peak  {Duration(progress.Remaining)} left";
        }
    }

    private TrainingOptions TrainingOptionsOf(ParseResult parsed, string? recorded)
    {
        var options = recorded is null ? Defaults : TrainingOptions.FromJson(File.ReadAllText(recorded), recorded);
        options = options with
        {
            Sequences = parsed.GetValue(_sequences) ?? options.Sequences,
            Length = parsed.GetValue(_length) ?? options.Length,
            AccumulationSteps = parsed.GetValue(_accumulation) ?? options.AccumulationSteps,
            LearningRate = parsed.GetValue(_learningRate) ?? options.LearningRate,
            WarmupSteps = parsed.GetValue(_warmup) ?? options.WarmupSteps,
            Decay = parsed.GetValue(_decay) is { } decay ? Decays[decay] : options.Decay,
            MatrixOptimizer = parsed.GetValue(_matrixOptimizer) is { } matrices ? MatrixOptimizers[matrices] : options.MatrixOptimizer,
            WeightDecay = parsed.GetValue(_weightDecay) ?? options.WeightDecay,
            ClipNorm = parsed.GetValue(_clip) ?? options.ClipNorm,
            TableLearningRateMultiplier = parsed.GetValue(_tableRate) ?? options.TableLearningRateMultiplier,
            TableOptimizer = parsed.GetValue(_tableOptimizer) is { } optimizer ? Optimizers[optimizer] : options.TableOptimizer,
            TableMoments = parsed.GetValue(_tableMoments) is { } moments ? Moments[moments] : options.TableMoments,
            Tables = parsed.GetValue(_tables) is { } tables ? Locations[tables] : options.Tables,
            Seed = parsed.GetValue(_seed) ?? options.Seed,
            ValidateEvery = parsed.GetValue(_validateEvery) ?? options.ValidateEvery,
            ValidationSequences = parsed.GetValue(_validationSequences) ?? options.ValidationSequences,
            CheckpointEvery = parsed.GetValue(_checkpointEvery) ?? options.CheckpointEvery,
            KeepCheckpoints = parsed.GetValue(_keepCheckpoints) ?? options.KeepCheckpoints,
        };
        if (parsed.GetValue(_steps) is { } steps) return options with { Steps = steps };
        if (parsed.GetValue(_tokens) is { } tokens) return options with { Steps = (tokens + options.Validated().TokensPerStep - 1) / options.TokensPerStep };
        return recorded is not null ? options : throw NothingToResume(parsed, "--steps or --tokens");
    }

    private ModelConfiguration ConfigurationOf(ParseResult parsed, string? recorded) =>
        parsed.GetValue(_preset) is { } preset ? Presets.Load(preset)
        : parsed.GetValue(_config) is { } file ? ModelConfiguration.Load(Directory.Exists(file) ? Path.Combine(file, "config.json") : file)
        : recorded is not null ? ModelConfiguration.Load(recorded)
        : throw NothingToResume(parsed, "--preset or --config");

    private ArgumentException NothingToResume(ParseResult parsed, string missing) =>
        new($"{parsed.GetValue(_run)} holds no run to resume: give {missing} to begin one, or check --run.");

    private void CheckAlternatives(CommandResult given)
    {
        var resume = given.GetValue(_resume);
        One("--preset", given.GetResult(_preset), "--config", given.GetResult(_config));
        One("--steps", given.GetResult(_steps), "--tokens", given.GetResult(_tokens));

        void One(string first, SymbolResult? one, string second, SymbolResult? other)
        {
            if (one is not null && other is not null) given.AddError($"Give {first} or {second}, not both.");
            if (one is null && other is null && !resume) given.AddError($"Give {first} or {second} (only --resume knows them from the run).");
        }
    }

    /// <summary>An option of names, of which the first is the default.</summary>
    private static Option<string?> Choice<T>(string name, string description, Dictionary<string, T> names) =>
        new Option<string?>(name) { Description = $"{description} [default: {names.Keys.First()}]", HelpName = string.Join('|', names.Keys) }.AcceptOnlyFromAmong([.. names.Keys]);

    private static Option<T?> Number<T>(string name, string description, T @default) where T : struct, IFormattable =>
        new(name) { Description = $"{description} [default: {@default.ToString(null, CultureInfo.InvariantCulture)}]", HelpName = "N" };

    private static void Write(TrainingResult result)
    {
        Console.Out.WriteLine($"validation loss  {result.ValidationLoss:F4} nats per token, {result.BitsPerByte:F4} bits per byte");
        Console.Out.WriteLine($"trained          {result.Steps:N0} updates, {result.Tokens:N0} tokens in {Duration(TimeSpan.FromSeconds(result.Seconds))}");
        Console.Out.WriteLine($"speed            {result.TokensPerSecond:N0} tokens/s, {result.PeakShare:P0} of the measured matmul peak of {result.MatmulPeakFlops / 1e9:N0} GFLOP/s");
        Console.Out.WriteLine($"model            {result.ModelFolder}");
        Console.Out.WriteLine($"Next: engram generate --model {result.ModelFolder} --prompt \"...\"");
    }

    private static string Duration(TimeSpan time) => time.TotalHours >= 1 ? $"{(long)time.TotalHours}:{time:mm\\:ss}" : $"{time:m\\:ss}";
}
