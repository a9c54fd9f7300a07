using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Training.Optimizers;

namespace Engram.Training;

/// <summary>
/// How a model is trained: a recipe, and what does not change its meaning. Immutable, and recorded in the run folder: a run is resumed only
/// under the options it began with.
/// </summary>
public sealed record TrainingOptions : TrainingRecipe
{
    private const int AfterTheRecipe = 1;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>The defaults, for a number of updates.</summary>
    public TrainingOptions() { }

    /// <summary>Those of a recipe.</summary>
    [SetsRequiredMembers]
    public TrainingOptions(TrainingRecipe recipe)
        : base(recipe) { }

    /// <summary>
    /// Where tables and their optimizer's state live while they are trained. Mapped, both may be larger than memory, and checkpoints do not
    /// copy them. The result is the same to the bit.
    /// </summary>
    /// <value>Default memory.</value>
    [JsonPropertyOrder(AfterTheRecipe)]
    public TableLocation Tables { get; init; } = TableLocation.Memory;

    /// <summary>Seed of starting values and data order.</summary>
    [JsonPropertyOrder(AfterTheRecipe)]
    public long Seed { get; init; } = 1;

    /// <summary>Updates between validations; 0 validates at the end only.</summary>
    [JsonPropertyOrder(AfterTheRecipe)]
    public long ValidateEvery { get; init; }

    /// <summary>Validation sequences, the same for every model on the same data.</summary>
    /// <value>Default 512.</value>
    [JsonPropertyOrder(AfterTheRecipe)]
    public int ValidationSequences { get; init; } = 512;

    /// <summary>Updates between checkpoints; 0 writes none before the end.</summary>
    /// <value>Default 500.</value>
    [JsonPropertyOrder(AfterTheRecipe)]
    public long CheckpointEvery { get; init; } = 500;

    /// <summary>Newest checkpoints kept.</summary>
    /// <value>At least 1. Default 2.</value>
    [JsonPropertyOrder(AfterTheRecipe)]
    public int KeepCheckpoints { get; init; } = 2;

    /// <summary>
    /// What stays as it is: names of parameters and tables as the files of a model have them, or patterns with * for any characters.
    /// Balancing biases are named like the rest.
    /// </summary>
    /// <value>Default: nothing.</value>
    [JsonPropertyOrder(AfterTheRecipe), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Frozen { get; init; }

    /// <summary>
    /// Threads of one tensor operation. Another number may end in other last bits, but a run may go on with it: this option alone is not
    /// held against the one it began with.
    /// </summary>
    /// <value>At least 1. Default: as many as the process has; a run that begins records how many those are.</value>
    [JsonPropertyOrder(AfterTheRecipe), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Threads { get; init; }

    /// <summary>The course of the learning rate in numbers.</summary>
    [JsonIgnore]
    public LearningRateSchedule LearningRates =>
        new()
        {
            Base = LearningRate,
            Updates = Steps,
            WarmUp = WarmUp,
            Decay = Decay,
        };

    /// <summary>Settings of the dense parameters' optimizers.</summary>
    [JsonIgnore]
    public DenseOptimizerOptions DenseOptimizer =>
        new()
        {
            Matrices = MatrixOptimizer,
            Muon = new MuonOptions { WeightDecay = WeightDecay },
            AdamW = new AdamWOptions { WeightDecay = WeightDecay },
        };

    /// <inheritdoc/>
    public override TrainingOptions Validated()
    {
        _ = base.Validated();
        Require(
            Tables is TableLocation.Memory or TableLocation.Mapped,
            nameof(Tables),
            Tables,
            "Memory or Mapped: a cache of rows would not see what is trained"
        );
        Require(ValidateEvery >= 0, nameof(ValidateEvery), ValidateEvery, "at least 0");
        Require(ValidationSequences >= 1, nameof(ValidationSequences), ValidationSequences, "at least 1");
        Require(CheckpointEvery >= 0, nameof(CheckpointEvery), CheckpointEvery, "at least 0");
        Require(KeepCheckpoints >= 1, nameof(KeepCheckpoints), KeepCheckpoints, "at least 1");
        Require(Threads is null or >= 1, nameof(Threads), Threads, "at least 1");
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
}
