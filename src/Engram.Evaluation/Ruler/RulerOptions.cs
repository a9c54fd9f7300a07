using Engram.Corpora;
using Engram.Evaluation.Harness;
using Engram.Models.Memory;

namespace Engram.Evaluation.Ruler;

/// <summary>Which samples of RULER to make.</summary>
public sealed record RulerOptions
{
    /// <summary>Most tokens of a sample: one before the text, the text, and the answer.</summary>
    /// <value>At least 256. Default 4096.</value>
    public int Length { get; init; } = 4096;

    /// <summary>Samples of a task.</summary>
    /// <value>At least 1. Default 100, as in the paper's table; 500 are published elsewhere.</value>
    public int Samples { get; init; } = 100;

    /// <summary>What everything random follows from.</summary>
    /// <value>Default 42.</value>
    public long Seed { get; init; } = 42;

    /// <summary>Names of tasks.</summary>
    /// <value>Default none, which stands for all 13.</value>
    public IReadOnlyList<string> Tasks { get; init; } = [];

    /// <summary>A folder with any of <c>essays/</c>, <c>wonderwords/</c>, <c>squad/</c> and <c>hotpotqa/</c>.</summary>
    /// <value>Default null: own replacements.</value>
    public string? Material { get; init; }

    /// <summary>Prose for haystacks, in place of the folder's.</summary>
    public CorpusSource? Essays { get; init; }

    /// <summary>A part of the memory that is silenced, for prompts, answers or both; null for none.</summary>
    public Suppression? Suppression { get; init; }

    /// <summary>What lines of answers call the model.</summary>
    public string Model { get; init; } = "model";

    /// <summary>Tells this model from others where answers are taken up, for example by hashes of its files.</summary>
    public string ModelIdentity { get; init; } = "";

    /// <summary>What lines of answers call what the memory does: on, off, shuffled, …</summary>
    public string Memory { get; init; } = "on";

    /// <summary>
    /// Where answers are written, and taken from if they belong to the same sample, model, memory and silenced part; null for nowhere.
    /// </summary>
    public SampleFile? Answers { get; init; }

    /// <summary>Returns this instance, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range, or there is no such task.</exception>
    public RulerOptions Validated()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Length, 256, nameof(Length));
        ArgumentOutOfRangeException.ThrowIfLessThan(Samples, 1, nameof(Samples));
        _ = RulerTask.Named(Tasks);
        return this;
    }

    internal IReadOnlyList<RulerTask> Chosen => Tasks.Count == 0 ? RulerTask.All : RulerTask.Named(Tasks);
}
