using Engram.Models.Configuration;
using Engram.Studies.Definitions;
using Engram.Training;

namespace Engram.Studies.Planning;

/// <summary>One model to be trained for a study.</summary>
/// <param name="Study">The study.</param>
/// <param name="Size">The name of its size.</param>
/// <param name="Setting">Text, tokens, seeds.</param>
/// <param name="Arm">The model.</param>
/// <param name="Seed">Of starting values and data order.</param>
/// <param name="Corpus">The text.</param>
/// <param name="Configuration">The model in numbers.</param>
/// <param name="Options">The training.</param>
/// <param name="Plan">What it costs.</param>
internal sealed record PlannedRun(
    Study Study,
    string Size,
    StudySetting Setting,
    StudyArm Arm,
    long Seed,
    StudyCorpus Corpus,
    ModelConfiguration Configuration,
    TrainingOptions Options,
    ModelPlan Plan
)
{
    /// <summary>The run whose model it begins with; null for starting values.</summary>
    public PlannedRun? Start { get; init; }

    /// <summary>
    /// The run of the study's reference with the same setting and seed; null where there is none, or this is it.
    /// </summary>
    public PlannedRun? Reference { get; init; }

    /// <summary>Whether it goes on with a longer context than that of the run that it begins with.</summary>
    public bool IsExtended => Start is { } start && Options.Length > start.Options.Length;

    /// <summary>The runs whose models must be there before its own is trained and measured.</summary>
    public IEnumerable<PlannedRun> Needs => ((PlannedRun?[])[Start, Reference]).OfType<PlannedRun>();

    /// <summary>The arm in rows: setting and arm.</summary>
    public string RowArm => $"{Setting.Name}/{Arm.Name}";

    /// <summary>Its name for people.</summary>
    public string Title => $"{Study.Name} {RowArm} (seed {Seed})";

    /// <summary>Training tokens, whole updates.</summary>
    public long Tokens => Options.Steps * Options.TokensPerStep;

    /// <summary>Operations of its training.</summary>
    public double Flops => (double)Tokens * Plan.TrainingFlopsPerToken;
}
