using System.Text.Json.Serialization;
using Engram.Tables.Training;

namespace Engram.Models.Recipes;

/// <summary>
/// What decides about the result of a training besides model, data and seed. Immutable; here stands what an option is unless something else
/// is asked for.
/// </summary>
/// <remarks>Starting values belong to the model: <c>initializer_range</c> and <c>engram_table_init_std</c> of its configuration.</remarks>
public record TrainingRecipe
{
    // Leaves the optimizers' own factors room within float32.
    private const double LargestFactor = 1e30;

    /// <summary>Optimizer updates.</summary>
    /// <value>At least 1. Required.</value>
    public required long Steps { get; init; }

    /// <summary>Sequences of one micro-batch.</summary>
    /// <value>At least 1. Default 8.</value>
    public int Sequences { get; init; } = 8;

    /// <summary>Tokens of one sequence.</summary>
    /// <value>At least 1. Default 128.</value>
    public int Length { get; init; } = 128;

    /// <summary>Micro-batches per update; their gradients are averaged.</summary>
    /// <value>At least 1. Default 1.</value>
    public int AccumulationSteps { get; init; } = 1;

    /// <summary>Peak learning rate of the dense parameters.</summary>
    /// <value>Above 0. Default 0.006, tuned on small models; the published ones have 4e-4.</value>
    public double LearningRate { get; init; } = 6e-3;

    /// <summary>Updates of linear warm-up.</summary>
    /// <value>At most <see cref="Steps"/>. Default: 5 % of the updates, at most 2000.</value>
    public long? WarmupSteps { get; init; }

    /// <summary>How the learning rate leaves its plateau.</summary>
    /// <value>Default <see cref="LearningRateDecay.Linear"/>: constant over the first half, then linear to 5 % of the peak.</value>
    public LearningRateDecay Decay { get; init; } = LearningRateDecay.Linear;

    /// <summary>Optimizer of the hidden matrices; vocabulary and vectors have AdamW.</summary>
    /// <value>Default Muon.</value>
    public MatrixOptimizer MatrixOptimizer { get; init; } = MatrixOptimizer.Muon;

    /// <summary>Decoupled weight decay of matrices and vocabulary; vectors and tables have none.</summary>
    /// <value>Default 0.1.</value>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Largest global gradient norm, tables included.</summary>
    /// <value>Default 1.</value>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Tables learn at this multiple of the rate (paper §4.1).</summary>
    /// <value>Default 5; 0 freezes the tables.</value>
    public double TableLearningRateMultiplier { get; init; } = 5;

    /// <summary>Optimizer of the tables.</summary>
    /// <value>Default Adam.</value>
    public TableOptimizer TableOptimizer { get; init; } = TableOptimizer.Adam;

    /// <summary>How the moments of the tables are stored; row-wise Adagrad has none, but a number per row in float32.</summary>
    /// <value>Default float32.</value>
    public MomentFormat TableMoments { get; init; } = MomentFormat.Float32;

    /// <summary>Tokens of one update.</summary>
    [JsonIgnore]
    public long TokensPerStep => (long)Sequences * AccumulationSteps * Length;

    /// <summary>Updates of warm-up in numbers: <see cref="WarmupSteps"/> or its default.</summary>
    [JsonIgnore]
    public long WarmUp => WarmupSteps ?? Math.Min(2000, Math.Max(1, Steps / 20));

    /// <summary>Returns this, or throws naming the offending value.</summary>
    /// <exception cref="TrainingOptionException">A value is out of range.</exception>
    public virtual TrainingRecipe Validated()
    {
        Require(Steps >= 1, nameof(Steps), Steps, "at least 1");
        Require(Sequences >= 1, nameof(Sequences), Sequences, "at least 1");
        Require(Length >= 1, nameof(Length), Length, "at least 1");
        Require(AccumulationSteps >= 1, nameof(AccumulationSteps), AccumulationSteps, "at least 1");
        Require(
            (Int128)Sequences * AccumulationSteps * Length <= Array.MaxLength,
            "Tokens per update",
            (Int128)Sequences * AccumulationSteps * Length,
            $"at most {Array.MaxLength}"
        );
        Require(LearningRate is > 0 and <= LargestFactor, nameof(LearningRate), LearningRate, $"above 0 and at most {LargestFactor}");
        Require(WarmupSteps is null or >= 0, nameof(WarmupSteps), WarmupSteps, "at least 0");
        Require(
            WarmupSteps is null || WarmupSteps <= Steps,
            nameof(WarmupSteps),
            WarmupSteps,
            $"at most the {Steps} updates of the run: beyond them the peak is never reached"
        );
        Require(
            WeightDecay >= 0 && WeightDecay * LearningRate <= LargestFactor,
            nameof(WeightDecay),
            WeightDecay,
            $"at least 0, and at most {LargestFactor} when multiplied by the learning rate"
        );
        Require(ClipNorm > 0 && double.IsFinite(ClipNorm), nameof(ClipNorm), ClipNorm, "finite and above 0");
        Require(
            TableLearningRateMultiplier >= 0 && double.IsFinite(TableLearningRateMultiplier),
            nameof(TableLearningRateMultiplier),
            TableLearningRateMultiplier,
            "finite and at least 0"
        );
        Require(
            TableOptimizer != TableOptimizer.Adagrad || TableMoments == MomentFormat.Float32,
            nameof(TableMoments),
            "bfloat16",
            "float32 for row-wise Adagrad, whose one number per row is never rounded"
        );
        return this;
    }

    /// <summary>Throws unless a condition holds.</summary>
    /// <exception cref="TrainingOptionException">It does not.</exception>
    protected static void Require(bool holds, string option, object? value, string range)
    {
        if (!holds)
            throw new TrainingOptionException(option, value, $"it must be {range}");
    }
}
