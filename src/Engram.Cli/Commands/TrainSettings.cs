using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Tables.Training;
using Engram.Training;

namespace Engram.Cli.Commands;

/// <summary>Which properties of <see cref="TrainingOptions"/> are options of <c>engram train</c>, and what they are called there.</summary>
internal static class TrainSettings
{
    private static readonly Dictionary<string, LearningRateDecay> Decays = new()
    {
        ["linear"] = LearningRateDecay.Linear,
        ["steps"] = LearningRateDecay.Steps,
    };

    private static readonly Dictionary<string, MatrixOptimizer> MatrixOptimizers = new()
    {
        ["muon"] = MatrixOptimizer.Muon,
        ["adamw"] = MatrixOptimizer.AdamW,
    };

    private static readonly Dictionary<string, TableOptimizer> TableOptimizers = new()
    {
        ["adam"] = TableOptimizer.Adam,
        ["dense-adam"] = TableOptimizer.DenseAdam,
        ["deferred-adam"] = TableOptimizer.DeferredAdam,
        ["adagrad"] = TableOptimizer.Adagrad,
        ["sinkhorn"] = TableOptimizer.Sinkhorn,
    };

    private static readonly Dictionary<string, MomentFormat> Moments = new()
    {
        ["float32"] = MomentFormat.Float32,
        ["bfloat16"] = MomentFormat.BFloat16,
    };

    private static readonly Dictionary<string, TableLocation> Locations = new()
    {
        ["memory"] = TableLocation.Memory,
        ["mapped"] = TableLocation.Mapped,
    };

    /// <summary>One setting for each, in the order of the help.</summary>
    public static IReadOnlyList<TrainSetting> All() =>
        [
            TrainSetting.Number(
                "--batch-size",
                nameof(TrainingOptions.Sequences),
                "Sequences of one micro-batch",
                options => options.Sequences,
                (options, value) => options with { Sequences = value }
            ),
            TrainSetting.Number(
                "--length",
                nameof(TrainingOptions.Length),
                "Tokens of one sequence",
                options => options.Length,
                (options, value) => options with { Length = value }
            ),
            TrainSetting.Number(
                "--accumulation",
                nameof(TrainingOptions.AccumulationSteps),
                "Micro-batches per update",
                options => options.AccumulationSteps,
                (options, value) => options with { AccumulationSteps = value }
            ),
            TrainSetting.Number(
                "--learning-rate",
                nameof(TrainingOptions.LearningRate),
                "Peak learning rate; small models like much higher ones than the 4e-4 of the published ones",
                options => options.LearningRate,
                (options, value) => options with { LearningRate = value }
            ),
            TrainSetting.Number<long>(
                "--warmup",
                nameof(TrainingOptions.WarmupSteps),
                "Updates over which the learning rate rises to its peak [default: 5 % of all, at most 2000]",
                read: null,
                (options, value) => options with { WarmupSteps = value }
            ),
            TrainSetting.Choice(
                "--decay",
                nameof(TrainingOptions.Decay),
                "How the learning rate falls: linearly over the second half to 5 %, or in steps to 31.6 % after 80 % of the updates and "
                    + "to 10 % after 90 %",
                Decays,
                options => options.Decay,
                (options, value) => options with { Decay = value }
            ),
            TrainSetting.Choice(
                "--matrix-optimizer",
                nameof(TrainingOptions.MatrixOptimizer),
                "Optimizer of the hidden matrices; vocabulary and vectors have AdamW",
                MatrixOptimizers,
                options => options.MatrixOptimizer,
                (options, value) => options with { MatrixOptimizer = value }
            ),
            TrainSetting.Number(
                "--weight-decay",
                nameof(TrainingOptions.WeightDecay),
                "Decoupled weight decay of matrices and vocabulary",
                options => options.WeightDecay,
                (options, value) => options with { WeightDecay = value }
            ),
            TrainSetting.Number(
                "--clip",
                nameof(TrainingOptions.ClipNorm),
                "Largest global gradient norm, tables included",
                options => options.ClipNorm,
                (options, value) => options with { ClipNorm = value }
            ),
            TrainSetting.Number(
                "--table-lr-multiplier",
                nameof(TrainingOptions.TableLearningRateMultiplier),
                "Learning rate of the tables as a multiple of the others'; 0 freezes them",
                options => options.TableLearningRateMultiplier,
                (options, value) => options with { TableLearningRateMultiplier = value }
            ),
            TrainSetting.Choice(
                "--table-optimizer",
                nameof(TrainingOptions.TableOptimizer),
                "Optimizer of the tables",
                TableOptimizers,
                options => options.TableOptimizer,
                (options, value) => options with { TableOptimizer = value }
            ),
            TrainSetting.Choice(
                "--table-moments",
                nameof(TrainingOptions.TableMoments),
                "How the moments of the tables are stored; adagrad has none",
                Moments,
                options => options.TableMoments,
                (options, value) => options with { TableMoments = value }
            ),
            TrainSetting.Names(
                "--freeze",
                nameof(TrainingOptions.Frozen),
                "Leave parts as they are: names of model.safetensors and of tables, or patterns such as 'model.layers.0.*'; may stand "
                    + "several times",
                (options, value) => options with { Frozen = value }
            ),
            TrainSetting.Choice(
                "--tables",
                nameof(TrainingOptions.Tables),
                "Where the tables live while they are trained: mapped files may be larger than memory. The results are the same",
                Locations,
                options => options.Tables,
                (options, value) => options with { Tables = value }
            ),
            TrainSetting.Number(
                "--seed",
                nameof(TrainingOptions.Seed),
                "Seed of starting values and data order",
                options => options.Seed,
                (options, value) => options with { Seed = value }
            ),
            TrainSetting.Number(
                "--validate-every",
                nameof(TrainingOptions.ValidateEvery),
                "Updates between validations; 0 validates at the end only",
                options => options.ValidateEvery,
                (options, value) => options with { ValidateEvery = value }
            ),
            TrainSetting.Number(
                "--validation-sequences",
                nameof(TrainingOptions.ValidationSequences),
                "Sequences of one validation",
                options => options.ValidationSequences,
                (options, value) => options with { ValidationSequences = value }
            ),
            TrainSetting.Number(
                "--checkpoint-every",
                nameof(TrainingOptions.CheckpointEvery),
                "Updates between checkpoints; 0 writes one only when interrupted",
                options => options.CheckpointEvery,
                (options, value) => options with { CheckpointEvery = value }
            ),
            TrainSetting.Number(
                "--keep-checkpoints",
                nameof(TrainingOptions.KeepCheckpoints),
                "Newest checkpoints that are kept",
                options => options.KeepCheckpoints,
                (options, value) => options with { KeepCheckpoints = value }
            ),
        ];
}
