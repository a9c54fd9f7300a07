using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Studies.Rows;
using Engram.Studies.Statistics;

namespace Engram.Studies.Verdicts;

/// <summary>What was measured of a study at one size, as far as its present definition knows the arms.</summary>
internal sealed class StudyData
{
    private readonly Dictionary<(string Setting, string Arm, string Measure), SortedDictionary<long, double>> _values = [];

    /// <summary>Sorts rows by setting, arm and measure.</summary>
    /// <param name="plan">
    /// The study; rows of runs that it does not have, or whose rows were measured with different inputs, are left out and counted.
    /// </param>
    /// <param name="rows">All rows of the study.</param>
    public StudyData(StudyPlan plan, IEnumerable<Measurement> rows)
    {
        Plan = plan;
        var runs = plan.Runs.ToDictionary(run => (run.RowArm, run.Seed));
        var mine = rows.Where(row => row.Study == plan.Study.Name && row.Size == plan.Size.Name).ToList();
        // Rows of one run with different inputs are of two definitions of it, and nothing here tells which one is today's.
        var ambiguous = mine.GroupBy(row => (row.Arm, row.Seed))
            .Where(run => run.Select(row => row.Inputs).Distinct().Count() > 1)
            .Select(run => run.Key)
            .ToHashSet();
        foreach (var row in mine)
        {
            if (!runs.TryGetValue((row.Arm, row.Seed), out var run) || ambiguous.Contains((row.Arm, row.Seed)))
            {
                RowsLeftOut++;
                continue;
            }
            var key = (run.Setting.Name, run.Arm.Name, row.Measure);
            if (!_values.TryGetValue(key, out var seeds))
                _values[key] = seeds = [];
            seeds[row.Seed] = row.Value;
        }
    }

    /// <summary>The study.</summary>
    public StudyPlan Plan { get; }

    /// <summary>Rows of the study and size whose run its definition does not know, or whose run has rows of different inputs.</summary>
    public int RowsLeftOut { get; }

    /// <summary>Its settings.</summary>
    public IReadOnlyList<StudySetting> Settings => Plan.Study.Sizes[Plan.Size.Name];

    /// <summary>Runs that have at least one row.</summary>
    public int MeasuredRuns => Plan.Runs.Count(run => Seeds(run.Setting.Name, run.Arm.Name, "loss").ContainsKey(run.Seed));

    /// <summary>The arms of a setting that were measured, in the order of the study.</summary>
    public IReadOnlyList<StudyArm> Arms(StudySetting setting, IReadOnlyList<string> patterns, string measure) =>
        [
            .. Plan.Study.Arms.Where(arm =>
                setting.Arms.Matches(arm.Name) && patterns.Matches(arm.Name) && Seeds(setting.Name, arm.Name, measure).Count > 0
            ),
        ];

    /// <summary>All measures of the study, in alphabetical order.</summary>
    public IReadOnlyList<string> Measures => [.. _values.Keys.Select(key => key.Measure).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The values of an arm by seed; empty where nothing was measured.</summary>
    public IReadOnlyDictionary<long, double> Seeds(string setting, string arm, string measure) =>
        _values.TryGetValue((setting, arm, measure), out var seeds) ? seeds : new SortedDictionary<long, double>();

    /// <summary>The seeds that every one of the arms has, ascending.</summary>
    public IReadOnlyList<long> CommonSeeds(StudySetting setting, IReadOnlyList<StudyArm> arms, string measure) =>
        arms.Count == 0
            ? []
            :
            [
                .. Seeds(setting.Name, arms[0].Name, measure)
                    .Keys.Where(seed => arms.All(arm => Seeds(setting.Name, arm.Name, measure).ContainsKey(seed))),
            ];

    /// <summary>Mean and spread of an arm; null where nothing was measured.</summary>
    public SeedStatistics? Statistics(string setting, string arm, string measure) =>
        Seeds(setting, arm, measure) is { Count: > 0 } seeds ? SeedStatistics.Of([.. seeds.Values]) : null;

    /// <summary>An arm less another one over the seeds that both have; null where there is none.</summary>
    public PairedDifference? Difference(string setting, string arm, string baseline, string measure)
    {
        var (left, right) = (Seeds(setting, arm, measure), Seeds(setting, baseline, measure));
        var common = left.Keys.Where(right.ContainsKey).ToList();
        return common.Count == 0
            ? null
            : PairedDifference.Of(arm, [.. common.Select(seed => left[seed])], baseline, [.. common.Select(seed => right[seed])]);
    }

    /// <summary>Where a point lies on a horizontal axis.</summary>
    /// <exception cref="InvalidDataException">There is no such axis.</exception>
    public double Position(StudySetting setting, StudyArm arm, string axis)
    {
        var run = Plan.Runs.First(run => run.Setting == setting && run.Arm == arm);
        return axis switch
        {
            "rho" => 100 * (run.Plan.AllocationRatio ?? 1),
            "experts" => run.Configuration.NRoutedExperts,
            "memory" => run.Plan.MemoryParameters,
            "layer" => run.Configuration.Engram is { } memory ? memory.LayerIds[0] + 1 : 0,
            "tokens" => run.Tokens,
            _ => throw new InvalidDataException($"'{axis}' is no axis: use rho, experts, memory, layer, tokens or arm."),
        };
    }
}
