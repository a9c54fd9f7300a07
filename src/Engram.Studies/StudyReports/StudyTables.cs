using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Verdicts;

namespace Engram.Studies.StudyReports;

/// <summary>The numbers of a study as tables of words.</summary>
/// <param name="data">What was measured.</param>
internal sealed class StudyTables(StudyData data)
{
    // With more, what a page can show beside the parameters, the measures become rows of a second table.
    private const int MostColumns = 6;

    private static readonly string[] Parameters = ["total", "active", "table"];

    /// <summary>
    /// The arms of a setting with their parameters and losses; what else was measured in the same table where that leaves it narrow,
    /// otherwise in a second one, a row for each measure.
    /// </summary>
    public IReadOnlyList<(IReadOnlyList<string> Header, IReadOnlyList<IReadOnlyList<string>> Rows)> Of(StudySetting setting)
    {
        var measures = data
            .Measures.Where(measure => !Measure.IsDetail(measure) && data.Arms(setting, ["*"], measure).Count > 0)
            .OrderByDescending(measure => measure == "loss")
            .ToList();
        var arms = data.Plan.Study.Arms.Where(arm => setting.Arms.Matches(arm.Name)).ToList();
        var beside = measures.Count <= MostColumns ? measures : [.. measures.Where(IsLoss).Take(MostColumns)];
        var below = measures.Except(beside).ToList();
        var first = (
            (IReadOnlyList<string>)["arm", .. Parameters, .. beside.Select(MeasureWords.Of)],
            (IReadOnlyList<IReadOnlyList<string>>)[.. arms.Select(arm => Row(setting, arm, beside))]
        );
        if (below.Count == 0)
            return [first];
        var measured = arms.Where(arm => below.Any(measure => data.Seeds(setting.Name, arm.Name, measure).Count > 0)).ToList();
        return
        [
            first,
            (
                ["measure", .. measured.Select(arm => arm.Name)],
                [
                    .. below.Select(measure =>
                        (IReadOnlyList<string>)[MeasureWords.Of(measure), .. measured.Select(arm => Cell(setting, arm, measure))]
                    ),
                ]
            ),
        ];
    }

    /// <summary>What is compared, mean and spread, and each seed: the differences of the study that were measured.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Differences(StudySetting setting) =>
        [
            .. data
                .Plan.Study.Differences.Select(pair =>
                    (Pair: pair, Difference: data.Difference(setting.Name, pair.Arm, pair.Baseline, pair.Measure))
                )
                .Where(entry => entry.Difference is not null)
                .Select(entry =>
                    (IReadOnlyList<string>)
                        [
                            $"{entry.Pair.Arm} − {entry.Pair.Baseline}, {MeasureWords.Of(entry.Pair.Measure)}",
                            ClaimVerdicts.Describe(entry.Difference!),
                            string.Join(", ", entry.Difference!.PerSeed.Select(ClaimVerdicts.Signed)),
                        ]
                ),
        ];

    private static bool IsLoss(string measure) =>
        measure is "loss" or "bits_per_byte" || measure.StartsWith("loss_", StringComparison.Ordinal);

    private IReadOnlyList<string> Row(StudySetting setting, StudyArm arm, IEnumerable<string> measures)
    {
        var plan = data.Plan.Runs.First(run => run.Setting == setting && run.Arm == arm).Plan;
        return
        [
            arm.Name,
            $"{plan.TotalWithoutVocabulary:N0}",
            $"{plan.ActiveParameters:N0}",
            $"{plan.MemoryParameters:N0}",
            .. measures.Select(measure => Cell(setting, arm, measure)),
        ];
    }

    /// <summary>Mean and deviation, and where not every seed was measured, of how many.</summary>
    private string Cell(StudySetting setting, StudyArm arm, string measure)
    {
        if (data.Statistics(setting.Name, arm.Name, measure) is not { } values)
            return "–";
        var seeds = data.Seeds(setting.Name, arm.Name, measure).Count;
        return ClaimVerdicts.Number(values.Mean)
            + (values.StandardDeviation is { } deviation ? $" ± {ClaimVerdicts.Number(deviation)}" : "")
            + (seeds < setting.Seeds.Count ? $" (n = {seeds})" : "");
    }
}
