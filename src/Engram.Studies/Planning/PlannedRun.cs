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

    /// <summary>The arm in rows: setting and arm.</summary>
    public string RowArm => $"{Setting.Name}/{Arm.Name}";

    /// <summary>Training tokens, whole updates.</summary>
    public long Tokens => Options.Steps * Options.TokensPerStep;

    /// <summary>Operations of its training.</summary>
    public double Flops => (double)Tokens * Plan.TrainingFlopsPerToken;
}
