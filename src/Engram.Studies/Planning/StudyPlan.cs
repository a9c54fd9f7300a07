using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Studies.Definitions;
using Engram.Training;

namespace Engram.Studies.Planning;

/// <summary>Every run of a study at one size, with what it costs, and whether what is claimed to be equal is.</summary>
internal sealed class StudyPlan
{
    // What a training thread of a 2020s server core does at these sizes: a fixed part of a token for overhead, the rest for arithmetic.
    private const double SecondsPerToken = 2.0e-5,
        FlopsPerSecond = 4.5e10,
        SecondsPerRun = 4;

    private StudyPlan(Study study, StudySize size, IReadOnlyList<PlannedRun> runs, IReadOnlyList<EqualityCheck> equalities) =>
        (Study, Size, Runs, Equalities) = (study, size, runs, equalities);

    /// <summary>What is planned.</summary>
    public Study Study { get; }

    /// <summary>At which size.</summary>
    public StudySize Size { get; }

    /// <summary>
    /// All runs: settings in their order, in each the seeds, in each the arms. So a study that is cut short has whole seeds.
    /// </summary>
    public IReadOnlyList<PlannedRun> Runs { get; }

    /// <summary>What is claimed to be equal, setting by setting.</summary>
    public IReadOnlyList<EqualityCheck> Equalities { get; }

    /// <summary>Plans a study.</summary>
    /// <exception cref="InvalidDataException">The definition contradicts itself.</exception>
    public static StudyPlan Of(Study study, StudySize size)
    {
        var (runs, checks) = (new List<PlannedRun>(), new List<EqualityCheck>());
        foreach (var setting in study.Sizes[size.Name])
        {
            var corpus = size.Corpora.TryGetValue(setting.Corpus, out var known)
                ? known
                : throw new InvalidDataException($"{study.Name}: the size {size.Name} has no corpus '{setting.Corpus}'.");
            var configurations = new ArmConfigurations(study, size, corpus.VocabularySize);
            var arms = study.Arms.Where(arm => setting.Arms.Matches(arm.Name)).ToList();
            var plans = new Dictionary<string, ModelPlan>();
            foreach (var seed in setting.Seeds)
            {
                var ofSeed = new List<PlannedRun>();
                // An extension stands behind the arm that it goes on from.
                foreach (var arm in arms)
                    ofSeed.Add(
                        arm.Extends is { } extension
                            ? Extended(
                                ofSeed.SingleOrDefault(run => run.Arm.Name == extension.Arm)
                                    ?? throw new InvalidDataException(
                                        $"{study.Name}: {arm.Name} goes on from {extension.Arm}, which does not stand before it in {setting.Name}."
                                    ),
                                arm,
                                extension
                            )
                            : Run(study, size, setting, arm, seed, corpus, configurations.Of(arm.Name))
                    );
                var reference = ofSeed.SingleOrDefault(run => run.Arm.Name == study.Reference);
                runs.AddRange(ofSeed.Select(run => ReferenceEquals(run, reference) ? run : run with { Reference = reference }));
                foreach (var run in ofSeed)
                    plans[run.Arm.Name] = run.Plan;
            }
            checks.AddRange(study.Equal.Select(equal => EqualityCheck.Of(equal, setting.Name, plans)).OfType<EqualityCheck>());
        }
        return new StudyPlan(study, size, runs, checks);
    }

    /// <summary>Throws unless every equality holds, and the arms of each setting are different models.</summary>
    /// <exception cref="InvalidDataException">Arms differ in what they claim is equal, or do not differ at all.</exception>
    public StudyPlan Checked()
    {
        if (Equalities.FirstOrDefault(check => !check.Holds) is { } broken)
            throw new InvalidDataException($"The study {Study.Name} at size {Size.Name} claims what is not so: {broken.Describe()}.");
        if (SameModels().FirstOrDefault() is { } same)
            throw new InvalidDataException(
                $"The study {Study.Name} at size {Size.Name}: {same} are one and the same model, so that nothing can be said of their difference."
            );
        return this;
    }

    /// <summary>Arms of a setting that come out as the same run, in words.</summary>
    public IEnumerable<string> SameModels() =>
        Runs.Where(run => run.Seed == run.Setting.Seeds[0])
            .GroupBy(run => (run.Setting.Name, RunInputs.Of(run, "")))
            .Where(runs => runs.Count() > 1)
            .Select(runs => string.Join(" and ", runs.Select(run => run.RowArm)));

    /// <summary>About how long a run takes with one thread, seconds.</summary>
    public static double Seconds(PlannedRun run) => SecondsPerRun + (run.Tokens * SecondsPerToken) + (run.Flops / FlopsPerSecond);

    private static PlannedRun Run(
        Study study,
        StudySize size,
        StudySetting setting,
        StudyArm arm,
        long seed,
        StudyCorpus corpus,
        ModelConfiguration configuration
    ) =>
        new(
            study,
            size.Name,
            setting,
            arm,
            seed,
            corpus,
            configuration,
            Options(size, setting, arm, seed),
            ModelPlan.Of(configuration, Length(size))
        );

    private static PlannedRun Extended(PlannedRun start, StudyArm arm, ArmExtension extension)
    {
        var options = start.Options with
        {
            Length = start.Options.Length * extension.Factor,
            Sequences = Math.Max(1, start.Options.Sequences / extension.Factor),
            ValidationSequences = Math.Max(1, start.Options.ValidationSequences / extension.Factor),
            LearningRate = extension.LearningRate,
        };
        var configuration =
            options.Length > start.Options.Length
                ? ContextExtension.Extend(start.Configuration, options.Length, original: start.Options.Length)
                : start.Configuration;
        return start with
        {
            Arm = arm,
            Start = start,
            Configuration = configuration,
            Plan = ModelPlan.Of(configuration, options.Length),
            Options = options with { Steps = Math.Max(1, (long)(start.Setting.Tokens * extension.TokenShare) / options.TokensPerStep) },
        };
    }

    private static int Length(StudySize size) => size.Training["length"]!.GetValue<int>();

    private static TrainingOptions Options(StudySize size, StudySetting setting, StudyArm arm, long seed)
    {
        var keys = JsonNode.Parse(new TrainingOptions { Steps = 1 }.ToJson())!.AsObject();
        foreach (var changes in (JsonObject[])[size.Training, setting.Training, arm.Training])
        foreach (var (key, value) in changes)
            keys[key] = value?.DeepClone();
        keys["seed"] = seed;
        keys["validation_sequences"] = size.ValidationSequences;
        keys["checkpoint_every"] = size.CheckpointEvery;
        var options = TrainingOptions.FromJson(
            keys.ToJsonString(JsonSerializerOptions.Default),
            $"study at size {size.Name}, setting {setting.Name}, arm {arm.Name}"
        );
        return options with { Steps = Math.Max(1, (long)(setting.Tokens * arm.TokenShare) / options.TokensPerStep) };
    }
}
