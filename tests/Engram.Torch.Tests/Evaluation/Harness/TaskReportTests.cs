using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Scoring;
using Engram.Models.Memory;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>What a run of tasks says of itself: shots that were kept, parts, comparisons, samples that were taken up.</summary>
public sealed class TaskReportTests : TasksInFolder
{
    private const string Quiz = """
        { "task": "quiz", "version": 1, "description": "d", "kind": "choice", "data": [{ "files": ["rows.jsonl"] }], "subtask": "subject",
          "few_shot": { "count": 2 }, "prompt": "Q: {{ question }}\nA:", "metrics": ["acc", "acc_norm"], "stem": ["question"],
          "published": { "source": "s", "metric": "accuracy", "shots": 2, "scores": { "engram_27b": 89.0 } } }
        """;

    public TaskReportTests()
    {
        Write(
            "rows.jsonl",
            [
                .. Enumerable
                    .Range(0, 9)
                    .Select(i =>
                        $$"""{"question": "which {{i}}", "choices": ["yes", "no"], "gold": {{i % 2}}, "subject": "{{(i < 6 ? "one" : "two")}}"}"""
                    ),
            ]
        );
        Write("quiz.json", [Quiz]);
        Write("other.json", [Quiz.Replace("\"quiz\"", "\"other\"", StringComparison.Ordinal)]);
    }

    private EvaluationResult Run(EvaluationOptions options, params TaskFile[] tasks) =>
        TaskRunner.Run(
            Model,
            Model.Memory,
            tasks.Length > 0 ? tasks : [Load("quiz.json")],
            options,
            cancellation: TestContext.Current.CancellationToken
        );

    /// <summary>A run that goes on with a file of samples, what it took from the file, and the file's samples.</summary>
    private (EvaluationResult Result, int Taken, TaskSample[] Samples) Resume(EvaluationOptions options, string name = "samples.jsonl")
    {
        using var file = SampleFile.Open(Folder.File(name), resume: true);
        var result = Run(options with { Samples = file });
        var taken = file.Taken;
        file.Dispose();
        return (
            result,
            taken,
            [
                .. File.ReadAllLines(Folder.File(name))
                    .Where(line => line.Contains("\"key\"", StringComparison.Ordinal))
                    .Select(line => JsonSerializer.Deserialize(line, SampleJson.Readable.TaskSample)!),
            ]
        );
    }

    private TaskFile Group(bool weightBySize) =>
        new()
        {
            Task = "both",
            Version = 1,
            Description = "d",
            Kind = TaskKind.Group,
            Tasks = [Folder.File("quiz.json"), Folder.File("other.json")],
            WeightBySize = weightBySize,
            Published = Load("quiz.json").Published,
        };

    [Fact]
    public void A_published_score_stands_only_beside_what_it_was_published_for()
    {
        Assert.Equal(0.89, Published(Options));
        Assert.Equal(0.89, Published(Options with { Shots = 2, Limit = 1, Memory = "off" }));
        Assert.Null(Published(Options with { Shots = 0 }));
        Assert.Null(Published(Options with { Shots = 3 }));
        Assert.Null(Published(Options with { Control = TaskControl.Stem }));
        Assert.Null(Published(Options with { Suppression = Suppression.Parse("all") }));
        Assert.Equal(0.89, Run(Options, Group(true)).Results[0].Published);
        Assert.Null(Run(Options with { Shots = 0 }, Group(true)).Results[0].Published);

        double? Published(EvaluationOptions options) => Run(options).Results[0].Published;
    }

    [Fact]
    public void Examples_that_a_cut_prompt_keeps_whole_are_those_that_are_read()
    {
        var prompts = TaskPrompt.Of([Load("quiz.json")], Options, 9, TestContext.Current.CancellationToken);
        var tokens = Model.Tokenizer.Encode(prompts[0].Prompt).Length;
        var seen = new HashSet<int>();
        for (var length = 4; length <= tokens + 8; length += 3)
        {
            var (result, _, samples) = Resume(Options with { MaxLength = length }, $"cut-{length}.jsonl");
            foreach (var (sample, prompt) in samples.OrderBy(sample => sample.Index).Zip(prompts))
            {
                Assert.Equal(2, sample.Shots);
                // The first token that is lost is the one before every text.
                var read = Model.Tokenizer.Decode(Model.Tokenizer.Encode(prompt.Prompt)[Math.Max(0, sample.Lost - 1)..]);
                var whole = Regex.Count(read, @"Q: which \d\nA: (yes|no)\n\n");
                Assert.Equal(sample.Lost > 0 ? whole : null, sample.ShotsKept);
                seen.Add(whole);
            }
            Assert.All(result.Results, one => Assert.Equal((2, samples.Min(sample => sample.ShotsKept ?? 2)), (one.Shots, one.ShotsKept)));
        }
        Assert.Equal([0, 1, 2], seen.Order());

        // Lines from before the number was written are completed.
        var old = Folder.File("cut-4.jsonl");
        File.WriteAllText(old, Regex.Replace(File.ReadAllText(old), "\"shots_kept\":0,", ""));
        var (again, taken, _) = Resume(Options with { MaxLength = 4 }, "cut-4.jsonl");
        Assert.Equal((9, 0), (taken, again.Results[0].ShotsKept));
    }

    [Fact]
    public void Parts_have_scores_of_their_own_whose_mean_is_the_macro_score()
    {
        var result = Run(Options with { Limit = 2 });
        var (acc, macro) = (result.Results[0], result.Results.Single(one => one.Metric == "acc,macro"));
        Assert.Equal((4, 9), (acc.Items, acc.OfItems));
        Assert.Equal(
            [("one", "acc", 2, 6), ("one", "acc_norm", 2, 6), ("two", "acc", 2, 3), ("two", "acc_norm", 2, 3)],
            result.Parts.Select(part => (part.Part, part.Metric, part.Items, part.OfItems))
        );
        TaskPart[] parts = [.. result.Parts.Where(part => part.Metric == "acc")];
        Assert.Equal(macro.Value!.Value, parts.Average(part => part.Value), 1e-12);
        Assert.Equal(
            macro.StandardError!.Value,
            Math.Sqrt(parts.Sum(part => part.StandardError!.Value * part.StandardError.Value)) / 2,
            1e-12
        );
        // One item has no spread.
        Assert.All(Run(Options with { Limit = 1 }).Parts, part => Assert.Null(part.StandardError));
    }

    [Fact]
    public void A_group_is_compared_as_it_is_scored()
    {
        EvaluationResult Result(double[] quiz, double[] other) =>
            Run(Options, Group(true)) with
            {
                Headlines = new Dictionary<string, IReadOnlyDictionary<int, ItemScore>>
                {
                    ["quiz"] = Scores(quiz),
                    ["other"] = Scores(other),
                },
            };
        var one = Result([1, 1, 0, 1, 1, 1], [0, 0]);
        var two = Result([0, 0, 0, 1, 1, 0], [0, 1]);
        var bySize = TaskComparison.Of([Group(true)], "a", one, "b", two);
        Assert.Equal([("both", 8), ("quiz", 6), ("other", 2)], bySize.Select(comparison => (comparison.Task, comparison.Items)));
        Assert.Equal((3.0 - 1) / 8, bySize[0].Difference, 1e-12);
        Assert.Equal((0.5, -0.5), (bySize[1].Difference, bySize[2].Difference));
        var byTask = TaskComparison.Of([Group(false)], "a", one, "b", two)[0];
        Assert.Equal(0, byTask.Difference, 1e-12);
        // The difference of independent parts has the sum of their variances, each weighed; resamples know it to a few per cent.
        Assert.Equal(
            Math.Sqrt(Math.Pow(bySize[1].StandardError, 2) + Math.Pow(bySize[2].StandardError, 2)) / 2,
            byTask.StandardError,
            0.1 * byTask.StandardError
        );
        Assert.Equal(
            Bootstrap.Compare([1, 1, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0], EvaluationOptions.BootstrapSeed).StandardError,
            bySize[1].StandardError
        );

        static Dictionary<int, ItemScore> Scores(double[] values) =>
            values.Index().ToDictionary(item => item.Index, item => new ItemScore(item.Item, 0, null));
    }

    [Fact]
    public void Only_samples_that_a_run_needs_count_as_taken()
    {
        var whole = Resume(Options);
        Assert.Equal((0, 9), (whole.Taken, whole.Samples.Length));
        Assert.Equal(2, Resume(Options with { Limit = 1 }).Taken);
        var (other, taken, _) = Resume(Options with { ModelIdentity = "other weights" });
        Assert.Equal(0, taken);
        Assert.True(other.Tokens > 0);
    }

    [Fact]
    public void A_damaged_line_costs_its_own_item_alone()
    {
        var whole = Resume(Options);
        var path = Folder.File("samples.jsonl");
        var lines = File.ReadAllLines(path);
        string[] damaged = ["not JSON", "null", "{\"task\": \"quiz\"}", "{\"task\": \"\u00ff"];
        for (var i = 0; i < damaged.Length; i++)
        {
            // The last letter is one byte, which is no UTF-8.
            File.WriteAllText(path, string.Join('\n', [.. lines[..3], damaged[i], .. lines[4..]]) + "\n", Encoding.Latin1);
            using (var file = SampleFile.Open(path, resume: true))
                Assert.Equal((8, "4"), (file.Found, string.Join(',', file.Damaged)));
            var (again, taken, samples) = Resume(Options);
            Assert.Equal((8, 9), (taken, samples.Length));
            Assert.Equal(whole.Result.Results, again.Results);
            Assert.Equal(damaged[i], File.ReadAllLines(path, Encoding.Latin1)[3]);
        }
        foreach (var other in new[] { "a shopping list\n", "a shopping list" })
        {
            File.WriteAllText(path, other);
            Assert.Contains(
                "samples.jsonl: no line is a sample",
                Assert.Throws<InvalidDataException>(() => SampleFile.Open(path, resume: true)).Message,
                StringComparison.Ordinal
            );
            Assert.Equal(other, File.ReadAllText(path));
        }
        Assert.Contains(
            "there is no folder",
            Assert.Throws<DirectoryNotFoundException>(() => SampleFile.Open(Folder.File("absent/samples.jsonl"), resume: false)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Samples_hold_prompts_where_wanted_and_are_taken_up_with_and_without()
    {
        var plain = Resume(Options);
        Assert.All(plain.Samples, sample => Assert.Null(sample.Prompt));
        Assert.DoesNotContain("\"prompt\"", File.ReadAllText(Folder.File("samples.jsonl")), StringComparison.Ordinal);
        var full = Resume(Options with { Prompts = true }, "full.jsonl");
        var shown = TaskPrompt.Of([Load("quiz.json")], Options, 9, TestContext.Current.CancellationToken);
        foreach (var (sample, prompt) in full.Samples.OrderBy(sample => sample.Index).Zip(shown))
        {
            Assert.Equal(ItemScoring.HashOf(sample.Prompt!), sample.PromptSha256);
            Assert.Equal(prompt.Prompt, sample.Prompt);
            Assert.Equal([" yes", " no"], sample.Choices);
            Assert.Equal(prompt.Choices, sample.Choices);
            Assert.Equal((prompt.Shots, prompt.Place), (sample.Shots, sample.Place));
        }
        Assert.Equal("Q: which 1\nA: no\n\nQ: which 2\nA: yes\n\nQ: which 0\nA:", shown[0].Prompt);
        Assert.Equal((9, 9), (Resume(Options with { Prompts = true }).Taken, Resume(Options, "full.jsonl").Taken));
    }

    [Fact]
    public void Prompts_that_end_in_an_option_are_shown_one_by_one()
    {
        Write("rows.jsonl", ["""{"text": "went home\nlate", "choices": ["she", "he"], "gold": 0}"""]);
        Write(
            "ends.json",
            [
                """
                { "task": "ends", "version": 1, "description": "d", "kind": "prefix", "data": [{ "files": ["rows.jsonl"] }],
                  "prompt": "Who?\n{{ choice }}", "target": "{{ text }}", "metrics": ["acc"] }
                """,
            ]
        );
        var prompt = Assert.Single(TaskPrompt.Of([Load("ends.json")], Options, 5, TestContext.Current.CancellationToken));
        Assert.Equal(["Who?\nshe", "Who?\nhe"], prompt.Prompts);
        Assert.Equal([" went home\nlate", " went home\nlate"], prompt.Choices);
        using var file = SampleFile.Open(Folder.File("ends.jsonl"), resume: false);
        Run(Options with { Samples = file, Prompts = true }, Load("ends.json"));
        file.Dispose();
        var sample = JsonSerializer.Deserialize(File.ReadAllText(Folder.File("ends.jsonl")), SampleJson.Readable.TaskSample)!;
        Assert.Equal(prompt.Prompts, sample.Prompts);
        Assert.Equal(ItemScoring.HashOf(string.Join('\n', sample.Prompts!)), sample.PromptSha256);
    }

    [Fact]
    public void Another_seed_of_a_control_is_another_score_and_the_usual_one_is_that_of_older_samples()
    {
        using var usual = Model.Memory!.Ablation(MemoryUse.ShuffledRows);
        using var named = Model.Memory.Ablation(MemoryUse.ShuffledRows, MemoryBank.ControlSeed);
        using var other = Model.Memory.Ablation(MemoryUse.ShuffledRows, 7);
        double[] scores =
        [
            .. new[] { usual, named, other }.Select(memory =>
                new Scorer(Model, memory).Answer([new LikelihoodRequest("which", " yes")])[0].LogLikelihood
            ),
        ];
        Assert.Equal(scores[0], scores[1]);
        Assert.NotEqual(scores[0], scores[2]);
        var options = Options with { Memory = "shuffled" };
        Assert.Equal(9, Resume(options).Samples.Length);
        var seeded = Resume(options with { MemorySeed = 7 });
        Assert.Equal((0, 18), (seeded.Taken, seeded.Samples.Length));
        Assert.Equal([null, 7], seeded.Samples.Select(sample => sample.MemorySeed).Distinct());
        Assert.Equal((9, 9), (Resume(options).Taken, Resume(options with { MemorySeed = 7 }).Taken));
    }

    [Theory]
    [InlineData(1, 32_000, 60, null)] // the first answer pays for all
    [InlineData(29, 32_000, 60, null)]
    [InlineData(30, 32_000, 60, 63_940.0)]
    [InlineData(30, 32_000, 1.9, null)]
    [InlineData(1, 5, 60, null)]
    [InlineData(2, 5, 60, 90.0)]
    [InlineData(5, 5, 60, 0.0)]
    public void Time_that_is_left_is_said_when_there_is_enough_to_judge_by(long done, long total, double seconds, double? left) =>
        Assert.Equal(left, RemainingTime.Of(done, total, TimeSpan.FromSeconds(seconds))?.TotalSeconds);

    /// <summary>Progress counts what a file of samples holds as done, but neither its time nor its tokens.</summary>
    [Fact]
    public void Resumed_items_are_done_and_are_no_part_of_the_speed()
    {
        Resume(Options with { Limit = 2 });
        var reports = new List<EvaluationProgress>();
        using var file = SampleFile.Open(Folder.File("samples.jsonl"), resume: true);
        var result = TaskRunner.Run(
            Model,
            Model.Memory,
            [Load("quiz.json")],
            Options with
            {
                Samples = file,
            },
            new Heard(reports.Add),
            TestContext.Current.CancellationToken
        );
        Assert.Equal((9, 9), (reports[^1].Items, reports[^1].OfItems));
        Assert.True(reports[0].Items >= 4);
        var whole = Run(Options).Tokens;
        Assert.InRange(result.Tokens, 1, whole - 1);
    }

    private sealed class Heard(Action<EvaluationProgress> take) : IProgress<EvaluationProgress>
    {
        public void Report(EvaluationProgress value) => take(value);
    }
}
