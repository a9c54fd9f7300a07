using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Training;

namespace Engram.Torch.Tests.Studies;

public sealed class StudyPlanTests
{
    public static TheoryData<string, string> All =>
        [.. StudyLibrary.Studies.SelectMany(study => study.Sizes.Keys.Select(size => (study.Name, size)))];

    [Theory, MemberData(nameof(All))]
    public void EveryStudy_CanBePlannedAtEachOfItsSizes_AndKeepsWhatItClaims(string name, string size)
    {
        var plan = StudyPlan.Of(StudyLibrary.Named(name, size)[0], StudyLibrary.Size(size)).Checked();

        Assert.Same(plan.Study, plan.Study.Validated(name));
        Assert.NotEmpty(plan.Runs);
        Assert.All(plan.Runs, run => Assert.Equal(run.Corpus.VocabularySize, run.Configuration.VocabularySize));
        Assert.Equal(plan.Runs.Count, plan.Runs.Select(run => (run.RowArm, run.Seed)).Distinct().Count());
        ISet<string> arms = plan.Study.Arms.Select(arm => arm.Name).ToHashSet();
        Assert.All(plan.Study.Differences, pair => Assert.Superset((ISet<string>)new HashSet<string> { pair.Arm, pair.Baseline }, arms));
    }

    [Fact]
    public void ArmsThatAreOneModel_AreRefused()
    {
        var study = Example(
            new StudyArm
            {
                Name = "again",
                Base = "moe",
                Description = "all experts, under another name",
            }
        );

        var error = Assert.Throws<InvalidDataException>(() => StudyPlan.Of(study, Size(106)).Checked());

        Assert.Contains("text/all and text/again are one and the same model", error.Message);
    }

    public static TheoryData<Func<Study, Study>, string> Wrong =>
        new()
        {
            { study => study with { Name = "../../x" }, "'../../x' is no name" },
            { study => study with { Arms = [study.Arms[0], study.Arms[0]] }, "two arms all" },
            { study => WithSetting(study, setting => setting with { Seeds = [1, 1] }), "has the seeds 1, 1" },
            { study => WithSetting(study, setting => setting with { Seeds = [] }), "give at least one" },
            { study => WithSetting(study, setting => setting with { Tokens = 0 }), "has 0 tokens" },
        };

    [Theory(DisableDiscoveryEnumeration = true), MemberData(nameof(Wrong))]
    public void DefinitionsThatCannotBe_AreRefused_WithTheValue(Func<Study, Study> change, string expected)
    {
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => change(Example()).Validated("mine.json")).Message);
        Assert.Equal(Example().Name, Example().Validated("mine.json").Name);
    }

    private static Study WithSetting(Study study, Func<StudySetting, StudySetting> change) =>
        study with
        {
            Sizes = new Dictionary<string, IReadOnlyList<StudySetting>> { ["test"] = [change(study.Sizes["test"][0])] },
        };

    [Fact]
    public void Reference_IsTheRunOfTheSameSettingAndSeed()
    {
        var plan = StudyPlan.Of(StudyLibrary.Named("mechanism", "nano")[0], StudyLibrary.Size("nano"));

        Assert.All(plan.Runs.Where(run => run.Arm.Name == "moe"), run => Assert.Null(run.Reference));
        Assert.All(
            plan.Runs.Where(run => run.Arm.Name == "engram"),
            run => Assert.Equal(("moe", run.Seed, run.Setting), (run.Reference!.Arm.Name, run.Reference.Seed, run.Reference.Setting))
        );
    }

    [Fact]
    public void ControlOfAnExtension_IsTrainedAsMuchLonger_WithItsContextAsItWas()
    {
        var plan = StudyPlan.Of(StudyLibrary.Named("long-context", "nano")[0], StudyLibrary.Size("nano"));
        PlannedRun Of(string arm) => plan.Runs.First(run => run.RowArm == $"text/{arm}");
        var (before, more, longer) = (Of("moe"), Of("moe-more"), Of("moe-long"));

        Assert.Equal((before.RowArm, before.RowArm), (more.Start!.RowArm, longer.Start!.RowArm));
        Assert.Equal(longer.Tokens, more.Tokens);
        Assert.Equal((128, 512), (more.Options.Length, longer.Options.Length));
        Assert.Equal((false, true), (more.IsExtended, longer.IsExtended));
        Assert.Equal(before.Configuration.ToJson(), more.Configuration.ToJson());
        Assert.Equal(
            (128, 512),
            (longer.Configuration.RopeScaling!.OriginalMaxPositionEmbeddings, longer.Configuration.MaxPositionEmbeddings)
        );
        // All are read at the length of the reference.
        Assert.All([before, more], run => Assert.Equal(512, LongContext.Extended(run)!.Options.Length));
    }

    [Fact]
    public void Quickstart_TrainsAsItsPresetsSay()
    {
        var plan = StudyPlan.Of(StudyLibrary.Named("quickstart", "nano")[0], StudyLibrary.Size("nano"));

        Assert.Equal(["dense", "moe", "moe-few", "engram", "engram-one-row"], plan.Study.Arms.Select(arm => arm.Name));
        foreach (var run in plan.Runs)
        {
            var recipe = new TrainingOptions(PresetRecipe.Of(run.Arm.Base).Recipe) { Seed = run.Seed };
            Assert.Equal(Presets.Load(run.Arm.Base).ToJson(), run.Configuration.ToJson());
            Assert.Equal(RunInputs.Of(run, "text"), RunInputs.Hash(RunInputs.Describe(run.Configuration, recipe, "text")));
        }
    }

    [Theory]
    [InlineData(106, 1.0, 106)]
    [InlineData(106, 0.4, 46)]
    [InlineData(99, 1.0, 99)]
    [InlineData(99, 0.3978, 43)]
    public void ExpertsOfThePapersPoints_FollowFromTheShare(int all, double rho, int experts)
    {
        var plan = StudyPlan.Of(
            Example(
                new StudyArm
                {
                    Name = "point",
                    Base = "moe",
                    Rho = rho,
                    Description = "a point of Figure 3",
                }
            ),
            Size(all)
        );

        Assert.Equal(experts, plan.Runs.Single(run => run.Arm.Name == "point").Configuration.NRoutedExperts);
    }

    [Fact]
    public void ForTheSmallestPublishedShare_TheTableTakesWhatSixtyExpertsHad()
    {
        var plan = StudyPlan.Of(
            Example(
                new StudyArm
                {
                    Name = "point",
                    Base = "engram",
                    Rho = 0.4,
                    EqualActive = "all",
                    EqualTotal = "all",
                    Description = "40 percent",
                }
            ),
            Size(106)
        );
        var (all, point) = (plan.Runs.Single(run => run.Arm.Name == "all").Plan, plan.Runs.Single(run => run.Arm.Name == "point").Plan);

        Assert.Equal(46, plan.Runs.Single(run => run.Arm.Name == "point").Configuration.NRoutedExperts);
        Assert.Equal(0.4, point.AllocationRatio!.Value, 0.005);
        Assert.Equal(1, (double)point.TotalWithoutVocabulary / all.TotalWithoutVocabulary, 0.002);
        Assert.Equal(1, (double)point.ActiveParameters / all.ActiveParameters, 0.01);
        // Sixty experts less of two layers, three matrices each.
        Assert.Equal(1, point.MemoryParameters / (60.0 * 2 * 3 * 48 * 48), 0.01);
    }

    [Fact]
    public void ArmsThatDiffer_InWhatTheyClaimIsEqual_AreRefused_WithTheNumbers()
    {
        var study = Example(
            new StudyArm
            {
                Name = "few",
                Base = "moe",
                Rho = 0.1,
                Description = "fewer experts",
            }
        ) with
        {
            Equal = [new Equality("total", ["all", "few"], 0.01)],
        };

        var error = Assert.Throws<InvalidDataException>(() => StudyPlan.Of(study, Size(106)).Checked());

        Assert.Contains("total of 2 arms equal to that of all", error.Message);
        Assert.Contains("(few), too much", error.Message);
    }

    [Fact]
    public void Hash_DependsOnWhatDecides_AndOnNothingElse()
    {
        var run = StudyPlan.Of(Example(), Size(106)).Runs[0];
        string Hash(TrainingOptions options, ModelConfiguration? configuration = null, string data = "text/1") =>
            RunInputs.Hash(RunInputs.Describe(configuration ?? run.Configuration, options, data));
        var hash = Hash(run.Options);

        Assert.Equal(hash, Hash(run.Options with { Threads = 7, CheckpointEvery = 3, KeepCheckpoints = 9, ValidateEvery = 5 }));
        Assert.NotEqual(hash, Hash(run.Options with { Seed = 99 }));
        Assert.NotEqual(hash, Hash(run.Options with { LearningRate = 1e-3 }));
        Assert.NotEqual(hash, Hash(run.Options, run.Configuration with { NRoutedExperts = 105 }));
        Assert.NotEqual(hash, Hash(run.Options, data: "text/2"));
        // The same bits, at other times: a study of costs must not take one for the other.
        Assert.NotEqual(hash, Hash(run.Options with { Tables = TableLocation.Mapped }));
        // A key with its default value is left out, so that a new key changes no hash.
        Assert.False(
            RunInputs.Describe(run.Configuration, run.Options, "")["configuration"]!.AsObject().ContainsKey("attention_document_mask")
        );
    }

    private static Study Example(params StudyArm[] arms) =>
        new()
        {
            Name = "example",
            Title = "Example",
            Question = "?",
            Paper = "",
            Prediction = "",
            Refutation = "",
            Arms =
            [
                new StudyArm
                {
                    Name = "all",
                    Base = "moe",
                    Description = "all experts",
                },
                .. arms,
            ],
            Sizes = new Dictionary<string, IReadOnlyList<StudySetting>>
            {
                ["test"] =
                [
                    new StudySetting
                    {
                        Name = "text",
                        Corpus = "dotnet-docs",
                        Tokens = 1024,
                        Seeds = [1],
                    },
                ],
            },
        };

    // The quickstart's shape with the paper's experts: six of them active.
    private static StudySize Size(int experts)
    {
        JsonObject Changes() =>
            new()
            {
                ["n_routed_experts"] = experts,
                ["num_experts_per_tok"] = 6,
                ["shared_expert_intermediate_size"] = 96,
            };
        return StudyLibrary.Size("nano") with
        {
            Name = "test",
            Models = new Dictionary<string, BaseModel>
            {
                ["moe"] = new("quickstart-moe", Changes()),
                ["engram"] = new("quickstart-engram", Changes()),
            },
        };
    }
}
