using Engram.Evaluation.Code;
using Engram.Models.Memory;

namespace Engram.Evaluation.Harness;

/// <summary>How tasks are run.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Decides the draws of bootstraps, of standard errors as of comparisons.</summary>
    public const int BootstrapSeed = 1;

    /// <summary>The folder below which the data of tasks lie.</summary>
    public required string DataRoot { get; init; }

    /// <summary>What results call the model.</summary>
    public string Model { get; init; } = "model";

    /// <summary>What results call what the memory does: on, off, shuffled, …</summary>
    public string Memory { get; init; } = "on";

    /// <summary>
    /// Seed of the control that the memory is exchanged for, where it is not the usual one (<see cref="MemoryBank.ControlSeed"/>); null
    /// where it is, and for memories that nothing is drawn for. It tells samples apart.
    /// </summary>
    public int? MemorySeed { get; init; }

    /// <summary>A part of the memory that is silenced, for prompts, answers or both; null for none.</summary>
    public Suppression? Suppression { get; init; }

    /// <summary>Tells this model from others where samples are resumed, for example by hashes of its files.</summary>
    public string ModelIdentity { get; init; } = "";

    /// <summary>At most so many items of a task, or of each of its parts, from the beginning; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Worked examples before an item; null for what each task says.</summary>
    public int? Shots { get; init; }

    /// <summary>
    /// Most tokens of a text: what is longer loses its beginning. Null for the model's context, as lm-evaluation-harness reads it from
    /// <c>max_position_embeddings</c>; the length that the model was trained on may be less.
    /// </summary>
    public int? MaxLength { get; init; }

    /// <summary>A counterfactual control.</summary>
    public TaskControl Control { get; init; }

    /// <summary>Where samples are written, and taken from; null for nowhere.</summary>
    public SampleFile? Samples { get; init; }

    /// <summary>Whether samples also hold the prompt itself, and the continuations that are scored.</summary>
    public bool Prompts { get; init; }

    /// <summary>Runs generated code; null: tasks that need it are not scored.</summary>
    public Sandbox? Sandbox { get; init; }

    /// <summary>Whether what requests share is read once. Scores do not depend on it beyond rounding.</summary>
    public bool SharePrefixes { get; init; } = true;

    /// <summary>Texts that are generated side by side.</summary>
    public int Together { get; init; } = Scoring.Scorer.Together;
}

/// <summary>How far a run is.</summary>
/// <param name="Task">The task at work.</param>
/// <param name="Items">Items of it that are scored.</param>
/// <param name="OfItems">All items of it.</param>
/// <param name="TokensPerSecond">Tokens of requests that were asked in this run per second, as if each had been read alone.</param>
/// <param name="Remaining">Time that the rest of the task takes; null before enough is asked to judge by.</param>
public readonly record struct EvaluationProgress(string Task, int Items, int OfItems, double TokensPerSecond, TimeSpan? Remaining);

/// <summary>What came of a run.</summary>
/// <param name="Results">All scores, task by task; a group stands before its tasks.</param>
/// <param name="Parts">Scores of the parts of tasks that have parts.</param>
/// <param name="Headlines">For each task (groups and scored texts left out) what its headline metric says of each item, by index.</param>
/// <param name="Tokens">Tokens of all requests, as if each had been read alone.</param>
/// <param name="TokensRead">Tokens that the model has read for them.</param>
/// <param name="Longest">Tokens of the longest text that the model has read.</param>
/// <param name="Elapsed">Time that the scorer took.</param>
public sealed record EvaluationResult(
    IReadOnlyList<TaskResult> Results,
    IReadOnlyList<TaskPart> Parts,
    IReadOnlyDictionary<string, IReadOnlyDictionary<int, ItemScore>> Headlines,
    long Tokens,
    long TokensRead,
    int Longest,
    TimeSpan Elapsed
);

/// <summary>What a metric says of an item.</summary>
/// <param name="Value">Its value.</param>
/// <param name="Chance">Its expectation for a guesser: right options over options; 0 where the answer is written.</param>
/// <param name="Cluster">What it has in common with items that are not independent of it (<see cref="TaskFile.Cluster"/>).</param>
public readonly record struct ItemScore(double Value, double Chance, string? Cluster);
