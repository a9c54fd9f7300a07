using Engram.Studies.Definitions;

namespace Engram.Studies.Planning;

/// <summary>One line of <c>engram study plan</c>: an arm in a setting.</summary>
/// <param name="Study">The study.</param>
/// <param name="Arm">Setting and arm.</param>
/// <param name="Seeds">The seeds it is trained with.</param>
/// <param name="TotalParameters">Without vocabulary matrices.</param>
/// <param name="ActiveParameters">That one token touches, without vocabulary matrices.</param>
/// <param name="SparseParameters">Total less active.</param>
/// <param name="MemoryParameters">Table values.</param>
/// <param name="Tokens">Training tokens of one run.</param>
/// <param name="Flops">Operations of the training of one run.</param>
/// <param name="Seconds">Estimated time of one run in one thread.</param>
public sealed record PlanLine(
    string Study,
    string Arm,
    IReadOnlyList<long> Seeds,
    long TotalParameters,
    long ActiveParameters,
    long SparseParameters,
    long MemoryParameters,
    long Tokens,
    double Flops,
    double Seconds
);

/// <summary>What studies would cost, and whether what they claim is equal is.</summary>
/// <param name="Lines">The arms.</param>
/// <param name="Equalities">What is held equal, in words with the largest deviations.</param>
/// <param name="Broken">Those that do not hold, and arms that are one model; such a study does not run.</param>
/// <param name="Runs">Models to be trained; arms that are the same model count once in each study.</param>
/// <param name="Seconds">Estimated time of all of them in one thread.</param>
public sealed record StudyPlanTable(
    IReadOnlyList<PlanLine> Lines,
    IReadOnlyList<string> Equalities,
    IReadOnlyList<string> Broken,
    int Runs,
    double Seconds
)
{
    /// <summary>Plans studies without reading any text.</summary>
    /// <exception cref="InvalidDataException">A definition contradicts itself.</exception>
    public static StudyPlanTable Of(IReadOnlyList<Study> studies, StudySize size)
    {
        var plans = studies.Select(study => StudyPlan.Of(study, size)).ToList();
        var runs = plans.SelectMany(plan => plan.Runs).ToList();
        var checks = plans
            .SelectMany(plan => plan.Equalities.Select(check => (Words: $"{plan.Study.Name}, {check.Describe()}", check.Holds)))
            .ToList();
        var distinct = runs.DistinctBy(run => RunInputs.Hash(RunInputs.Describe(run, run.Corpus.ToString()))).ToList();
        return new StudyPlanTable(
            [
                .. runs.GroupBy(run => (run.Study, run.Setting, run.Arm))
                    .Select(group => (Run: group.First(), Seeds: group.Select(run => run.Seed).ToList()))
                    .Select(entry => new PlanLine(
                        entry.Run.Study.Name,
                        entry.Run.RowArm,
                        entry.Seeds,
                        entry.Run.Plan.TotalWithoutVocabulary,
                        entry.Run.Plan.ActiveParameters,
                        entry.Run.Plan.SparseParameters,
                        entry.Run.Plan.MemoryParameters,
                        entry.Run.Tokens,
                        entry.Run.Flops,
                        StudyPlan.Seconds(entry.Run)
                    )),
            ],
            [.. checks.Select(check => check.Words)],
            [
                .. checks.Where(check => !check.Holds).Select(check => check.Words),
                .. plans.SelectMany(plan => plan.SameModels().Select(same => $"{plan.Study.Name}, {same} are one and the same model")),
            ],
            distinct.Count,
            distinct.Sum(StudyPlan.Seconds)
        );
    }
}
