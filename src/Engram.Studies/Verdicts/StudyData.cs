using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Studies.Results;
using Engram.Studies.Statistics;

namespace Engram.Studies.Verdicts;

/// <summary>What was measured of a study at one size, as far as its present definition knows the runs.</summary>
internal sealed class StudyData
{
    private readonly Dictionary<(string Setting, string Arm, string Measure), SortedDictionary<long, double>> _values = [];
    private readonly Dictionary<(string RowArm, long Seed), string> _inputs = [];

    /// <summary>Sorts rows by setting, arm and measure.</summary>
    /// <param name="plan">The study.</param>
    /// <param name="rows">Rows of the study, and of others: a model that another study measured need not be measured again.</param>
    /// <param name="texts">
    /// Where the text of a run is known, only rows count whose hash is that of the run as it is defined today. Where it is not, nothing
    /// tells which of several hashes is today's, and none of their rows counts.
    /// </param>
    public StudyData(StudyPlan plan, IEnumerable<Measurement> rows, TextIdentities? texts = null)
    {
        Plan = plan;
        var ofSize = rows.Where(row => row.Size == plan.Size.Name).ToList();
        var own = ofSize.Where(row => row.Study == plan.Study.Name).ToLookup(row => (row.Arm, row.Seed));
        var wanted = ofSize.Where(row => row.Study == plan.Study.Name).Select(row => row.Measure).ToHashSet();
        var others = ofSize.Where(row => row.Study != plan.Study.Name && wanted.Contains(row.Measure)).ToLookup(row => row.Inputs);
        foreach (var run in plan.Runs)
        {
            var there = own[(run.RowArm, run.Seed)].ToList();
            var hashes = Hashes(run, texts);
            var models = hashes ?? Unambiguous(run, there);
            var taken = there.Where(IsOfToday).ToList();
            RowsLeftOut += there.Count - taken.Count;
            // The first of equal keys is the study's own.
            foreach (var row in (hashes is null ? [] : hashes.SelectMany(Others).Where(IsOfToday)).Concat(taken))
                Values(run, row.Measure)[run.Seed] = row.Value;
            if (hashes is not null || taken.Count > 0)
                _inputs[(run.RowArm, run.Seed)] = hashes?[0] ?? taken.FirstOrDefault(row => row.Measure == "loss", taken[0]).Inputs;

            bool IsOfToday(Measurement row) => models.Any(model => row.Inputs == Measure.InputsOf(row.Measure, model));
        }
        IEnumerable<Measurement> Others(string model) => others[model].Concat(others[RunInputs.OfQuestions(model)]);

        var known = plan.Runs.Select(run => (run.RowArm, run.Seed)).ToHashSet();
        RowsLeftOut += own.Where(group => !known.Contains(group.Key)).Sum(group => group.Count());
    }

    /// <summary>The study.</summary>
    public StudyPlan Plan { get; }

    /// <summary>Rows of the study and size that count for nothing: of runs that it does not have, or that were defined otherwise.</summary>
    public int RowsLeftOut { get; }

    /// <summary>Its settings.</summary>
    public IReadOnlyList<StudySetting> Settings => Plan.Study.Sizes[Plan.Size.Name];

    /// <summary>Runs that have at least one row.</summary>
    public int MeasuredRuns => Plan.Runs.Count(run => Seeds(run.Setting.Name, run.Arm.Name, "loss").ContainsKey(run.Seed));

    /// <summary>The hash of a run; null where it is not known.</summary>
    public string? Inputs(PlannedRun run) => _inputs.GetValueOrDefault((run.RowArm, run.Seed));

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

    /// <summary>
    /// The standard deviation that differences from an arm usually have in a setting: the median over all arms that share at least three
    /// seeds with it; 0 with fewer than three such arms.
    /// </summary>
    public double UsualDeviation(StudySetting setting, string baseline, string measure)
    {
        var deviations = Arms(setting, ["*"], measure)
            .Where(arm => arm.Name != baseline)
            .Select(arm => Difference(setting.Name, arm.Name, baseline, measure))
            .OfType<PairedDifference>()
            .Where(difference => difference.PerSeed.Count >= Noise.LeastSeeds)
            .Select(difference => difference.StandardDeviation!.Value)
            .Order()
            .ToList();
        var (half, odd) = (deviations.Count / 2, deviations.Count % 2);
        return deviations.Count < 3 ? 0 : (deviations[half] + deviations[half - 1 + odd]) / 2;
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
            _ => throw new InvalidDataException($"'{axis}' is no axis: use rho, experts, memory, layer, tokens, arm, measure or pairs."),
        };
    }

    private SortedDictionary<long, double> Values(PlannedRun run, string measure)
    {
        var key = (run.Setting.Name, run.Arm.Name, measure);
        if (!_values.TryGetValue(key, out var seeds))
            _values[key] = seeds = [];
        return seeds;
    }

    /// <summary>The hashes that rows of a run may have, that of its model first; null where its text is not known.</summary>
    private static IReadOnlyList<string>? Hashes(PlannedRun run, TextIdentities? texts) =>
        texts?.Of(run.Size, run.Setting.Corpus) is not { } data ? null
        : Compares(run) ? [RunInputs.Of(run, data), RunInputs.OfPair(run, data)]
        : [RunInputs.Of(run, data)];

    /// <summary>The hashes that rows of a run have, where they tell which model they are about; none where they do not.</summary>
    private static IReadOnlyList<string> Unambiguous(PlannedRun run, IEnumerable<Measurement> rows)
    {
        List<string> hashes = [.. rows.Where(row => !WorldRecall.Gives(row.Measure)).Select(row => row.Inputs).Distinct()];
        // Rows that compare two models have a hash of their own.
        return hashes.Count > (Compares(run) ? 2 : 1) ? [] : hashes;
    }

    private static bool Compares(PlannedRun run) => run.Reference is not null && Measure.Of(run).Any(measure => measure.Compares);
}
