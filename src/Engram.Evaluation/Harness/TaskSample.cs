using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Engram.Evaluation.Harness;

/// <summary>What came of one item: a line of a samples file.</summary>
public sealed record TaskSample
{
    /// <summary>The task.</summary>
    public required string Task { get; init; }

    /// <summary>Number of the item, from 0 in the order of the rows.</summary>
    public required int Index { get; init; }

    /// <summary>SHA-256 of what the model read before the answer, in UTF-8, lower-case hexadecimal.</summary>
    public required string PromptSha256 { get; init; }

    /// <summary>
    /// What the model read before the answer (of prefix tasks the prompts of all options, a line each); null unless asked for.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Prompt { get; init; }

    /// <summary>Of prefix tasks the prompts of all options one by one; null elsewhere, and unless asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Prompts { get; init; }

    /// <summary>
    /// The continuations that are scored, with the delimiter before them; null unless asked for, and for tasks without options.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Choices { get; init; }

    /// <summary>SHA-256 of all that the score follows from: what was asked, and what is right.</summary>
    public string ItemSha256 { get; init; } = "";

    /// <summary>Index of the preferred option, or the answer that the first filter found; null for a text that is only scored.</summary>
    public JsonNode? Prediction { get; init; }

    /// <summary>
    /// Index of the right option (a list of several), or the right answer (a list of several); null where a program checks the answer.
    /// </summary>
    public JsonNode? Gold { get; init; }

    /// <summary>Whether the headline metric is full; null where there is no right or wrong.</summary>
    public bool? Correct { get; init; }

    /// <summary>
    /// The value of each metric; for a scored text its nats, tokens, bytes and words. A metric whose program was not run is absent.
    /// </summary>
    public required IReadOnlyDictionary<string, double> Values { get; init; }

    /// <summary>The options as scored; null for tasks without.</summary>
    public IReadOnlyList<string>? Options { get; init; }

    /// <summary>Log-likelihood of each option, nats.</summary>
    public IReadOnlyList<double>? Scores { get; init; }

    /// <summary>
    /// Log-likelihood of each option behind the question's neutral context, nats, which acc_uncond takes off; null where nothing asks for
    /// it.
    /// </summary>
    public IReadOnlyList<double>? NeutralScores { get; init; }

    /// <summary>Tokens of each option.</summary>
    public IReadOnlyList<int>? Tokens { get; init; }

    /// <summary>What was generated; of several answers, the first.</summary>
    public string? Generated { get; init; }

    /// <summary>All answers, where several were generated.</summary>
    public IReadOnlyList<string>? Generations { get; init; }

    /// <summary>
    /// What became of the program that checks the answer, in one line ("completed", "time limit of 30 s", the last line of an error); of
    /// several answers, of the first. Null if none was run.
    /// </summary>
    public string? Program { get; init; }

    /// <summary>Its subtask, or null.</summary>
    public string? Subtask { get; init; }

    /// <summary>What it has in common with items that it is not independent of; null where it stands alone.</summary>
    public string? Cluster { get; init; }

    /// <summary>File and row.</summary>
    public required string Place { get; init; }

    /// <summary>Name of the model.</summary>
    public required string Model { get; init; }

    /// <summary>What the memory did.</summary>
    public required string Memory { get; init; }

    /// <summary>The seed of that where it is not the usual one; null where it is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? MemorySeed { get; init; }

    /// <summary>The part of the memory that was silenced; null for none.</summary>
    public string? Suppressed { get; init; }

    /// <summary>The counterfactual control.</summary>
    public required string Control { get; init; }

    /// <summary>Worked examples in its prompt.</summary>
    public required int Shots { get; init; }

    /// <summary>Of these the ones that stood whole in what the model read; null where the prompt was read whole.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ShotsKept { get; init; }

    /// <summary>Tokens at the beginning of its prompt for which the model's context had no room.</summary>
    public int Lost { get; init; }

    /// <summary>
    /// What all of this follows from beside the prompt: task file and model. A run goes on only with samples of the same.
    /// </summary>
    public required string Key { get; init; }
}

/// <summary>Lines of samples files.</summary>
[JsonSerializable(typeof(TaskSample))]
internal sealed partial class SampleJson : JsonSerializerContext
{
    /// <summary>Letters of any script stand as they are.</summary>
    public static SampleJson Readable =>
        field ??= new(
            new JsonSerializerOptions
            {
                PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
                Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            }
        );
}
