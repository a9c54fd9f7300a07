using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Models.Memory;
using Engram.Tables.Training;
using Engram.Training.Optimizers;

namespace Engram.Training;

/// <summary>How a model is trained. Immutable, and recorded in the run folder: a run is resumed only under the options it began with.</summary>
public sealed record TrainingOptions
{
    // Leaves the optimizers' own factors room within float32.
    private const double LargestFactor = 1e30;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

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
    /// <value>Above 0. Required.</value>
    public required double LearningRate { get; init; }

    /// <summary>Tables learn at this multiple of the rate (paper §4.1).</summary>
    /// <value>Default 5; 0 freezes the tables.</value>
    public double TableLearningRateMultiplier { get; init; } = 5;

    /// <summary>Optimizer of the tables.</summary>
    /// <value>Default Adam.</value>
    public TableOptimizer TableOptimizer { get; init; } = TableOptimizer.Adam;

    /// <summary>How the moments of the tables are stored; row-wise Adagrad has none, but a number per row in float32.</summary>
    /// <value>Default float32.</value>
    public MomentFormat TableMoments { get; init; } = MomentFormat.Float32;

    /// <summary>Where tables and their optimizer's state live while they are trained. Mapped, both may be larger than memory, and checkpoints do not copy them. The result is the same to the bit.</summary>
    /// <value>Default memory.</value>
    public TableLocation Tables { get; init; } = TableLocation.Memory;

    /// <summary>How the learning rate leaves its plateau.</summary>
    /// <value>Default <see cref="LearningRateDecay.Linear"/>: constant over the first half, then linear to 5 % of the peak.</value>
    public LearningRateDecay Decay { get; init; } = LearningRateDecay.Linear;

    /// <summary>Updates of linear warm-up.</summary>
    /// <value>Default: 5 % of the updates, at most 2000.</value>
    public long? WarmupSteps { get; init; }

    /// <summary>Optimizer of the hidden matrices.</summary>
    /// <value>Default Muon.</value>
    public MatrixOptimizer MatrixOptimizer { get; init; } = MatrixOptimizer.Muon;

    /// <summary>Decoupled weight decay of matrices and vocabulary; vectors and tables have none.</summary>
    /// <value>Default 0.1.</value>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Largest global gradient norm, tables included.</summary>
    /// <value>Default 1.</value>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Seed of starting values and data order.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Updates between validations; 0 validates at the end only.</summary>
    public long ValidateEvery { get; init; }

    /// <summary>Validation sequences, the same for every model on the same data.</summary>
    /// <value>Default 512.</value>
    public int ValidationSequences { get; init; } = 512;

    /// <summary>Updates between checkpoints; 0 writes none before the end.</summary>
    /// <value>Default 500.</value>
    public long CheckpointEvery { get; init; } = 500;

    /// <summary>Newest checkpoints kept.</summary>
    /// <value>At least 1. Default 2.</value>
    public int KeepCheckpoints { get; init; } = 2;

    /// <summary>Threads of one tensor operation. Another number may end in other last bits, but a run may go on with it: this option alone is not held against the one it began with.</summary>
    /// <value>At least 1. Default: as many as the process has; a run that begins records how many those are.</value>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Threads { get; init; }

    /// <summary>Tokens of one update.</summary>
    [JsonIgnore]
    public long TokensPerStep => (long)Sequences * AccumulationSteps * Length;

    /// <summary>The course of the learning rate in numbers.</summary>
    [JsonIgnore]
    public LearningRateSchedule LearningRates =>
        new() { Base = LearningRate, Updates = Steps, WarmUp = WarmupSteps ?? Math.Min(2000, Math.Max(1, Steps / 20)), Decay = Decay };

    /// <summary>Settings of the dense parameters' optimizers.</summary>
    [JsonIgnore]
    public DenseOptimizerOptions DenseOptimizer => new()
    {
        Matrices = MatrixOptimizer,
        Muon = new MuonOptions { WeightDecay = WeightDecay },
        AdamW = new AdamWOptions { WeightDecay = WeightDecay },
    };

    /// <summary>Returns this, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public TrainingOptions Validated()
    {
        Check(Steps >= 1, nameof(Steps), Steps, "at least 1");
        Check(Sequences >= 1, nameof(Sequences), Sequences, "at least 1");
        Check(Length >= 1, nameof(Length), Length, "at least 1");
        Check(AccumulationSteps >= 1, nameof(AccumulationSteps), AccumulationSteps, "at least 1");
        Check((Int128)Sequences * AccumulationSteps * Length <= Array.MaxLength, "Tokens per update", (Int128)Sequences * AccumulationSteps * Length, $"at most {Array.MaxLength}");
        Check(LearningRate is > 0 and <= LargestFactor, nameof(LearningRate), LearningRate, $"above 0 and at most {LargestFactor}");
        Check(TableLearningRateMultiplier >= 0 && double.IsFinite(TableLearningRateMultiplier), nameof(TableLearningRateMultiplier), TableLearningRateMultiplier, "finite and at least 0");
        Check(TableOptimizer != TableOptimizer.Adagrad || TableMoments == MomentFormat.Float32, nameof(TableMoments), "bfloat16", "float32 for row-wise Adagrad, whose one number per row is never rounded");
        Check(Tables is TableLocation.Memory or TableLocation.Mapped, nameof(Tables), Tables, "Memory or Mapped: a cache of rows would not see what is trained");
        Check(WarmupSteps is null or >= 0, nameof(WarmupSteps), WarmupSteps, "at least 0");
        Check(WeightDecay >= 0 && WeightDecay * LearningRate <= LargestFactor, nameof(WeightDecay), WeightDecay, $"at least 0, and at most {LargestFactor} when multiplied by the learning rate");
        Check(ClipNorm > 0 && double.IsFinite(ClipNorm), nameof(ClipNorm), ClipNorm, "finite and above 0");
        Check(ValidateEvery >= 0, nameof(ValidateEvery), ValidateEvery, "at least 0");
        Check(ValidationSequences >= 1, nameof(ValidationSequences), ValidationSequences, "at least 1");
        Check(CheckpointEvery >= 0, nameof(CheckpointEvery), CheckpointEvery, "at least 0");
        Check(KeepCheckpoints >= 1, nameof(KeepCheckpoints), KeepCheckpoints, "at least 1");
        Check(Threads is null or >= 1, nameof(Threads), Threads, "at least 1");
        return this;
    }

    /// <summary>The options as JSON; equal options give equal text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads what <see cref="ToJson"/> writes.</summary>
    /// <exception cref="InvalidDataException">Not such JSON, or a value is out of range.</exception>
    public static TrainingOptions FromJson(string json, string sourceName)
    {
        try
        {
            return (JsonSerializer.Deserialize<TrainingOptions>(json, Json) ?? throw new JsonException("null")).Validated();
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"{sourceName}: {e.Message}", e);
        }
    }

    private static void Check(bool holds, string name, object? value, string range)
    {
        if (!holds)
            throw new ArgumentException($"{name} is {value}; it must be {range}.");
    }
}
