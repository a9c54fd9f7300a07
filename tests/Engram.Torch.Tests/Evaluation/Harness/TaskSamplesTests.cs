using System.Text.Json;
using Engram.Evaluation.Code;
using Engram.Evaluation.Harness;
using Engram.Models.Memory;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>What the lines of a samples file hold, and when a run takes them up.</summary>
public sealed class TaskSamplesTests : TasksInFolder
{
    [Fact]
    public void A_run_goes_on_where_it_was_ended_and_asks_nothing_twice()
    {
        var whole = Samples(Options);
        var lines = File.ReadAllLines(Folder.File("samples.jsonl"));
        File.WriteAllText(Folder.File("cut.jsonl"), string.Join('\n', lines[..3]) + "\n" + lines[3][..40]);
        var resumed = Samples(Options, file: "cut.jsonl");
        Assert.Equal(
            whole.Select(sample => JsonSerializer.Serialize(sample, SampleJson.Readable.TaskSample)),
            resumed.Select(sample => JsonSerializer.Serialize(sample, SampleJson.Readable.TaskSample))
        );
        using var samples = SampleFile.Open(Folder.File("cut.jsonl"), resume: true);
        Assert.Equal(6, samples.Found);
        Assert.Equal(
            0,
            TaskRunner
                .Run(Model, Model.Memory, [Load()], Options with { Samples = samples }, cancellation: TestContext.Current.CancellationToken)
                .Tokens
        );
        // Another use of the memory is another score.
        Assert.NotEqual(
            0,
            TaskRunner
                .Run(
                    Model,
                    null,
                    [Load()],
                    Options with
                    {
                        Samples = samples,
                        Memory = "off",
                    },
                    cancellation: TestContext.Current.CancellationToken
                )
                .Tokens
        );
        Assert.Throws<IOException>(() => SampleFile.Open(Folder.File("cut.jsonl"), resume: false));
    }

    [Fact]
    public void Samples_of_a_silenced_memory_are_its_own_and_kept_shares_follow_from_them()
    {
        var (all, order) = (Suppression.Parse("all"), Suppression.Parse("order=2@prompt"));
        var whole = Samples(Options);
        var silenced = Samples(Options with { Suppression = all });
        var partly = Samples(Options with { Suppression = order });
        // One file holds the three, told apart by what was silenced.
        Assert.Equal([6, 12, 18], new[] { whole.Length, silenced.Length, partly.Length });
        Assert.Equal([null, "all", "order=2@prompt"], partly.Select(sample => sample.Suppressed).Distinct());
        Assert.Equal(3, partly.Select(sample => sample.Key).Distinct().Count());
        Assert.Equal(3, partly.Where(sample => sample.Index == 0).Select(sample => sample.Scores![0]).Distinct().Count());
        Assert.Single(partly.Where(sample => sample.Index == 0).Select(sample => sample.PromptSha256).Distinct());

        using var samples = SampleFile.Open(Folder.File("samples.jsonl"), resume: true);
        EvaluationResult Again(Suppression? part) =>
            TaskRunner.Run(
                Model,
                Model.Memory,
                [Load()],
                Options with
                {
                    Samples = samples,
                    Suppression = part,
                },
                cancellation: TestContext.Current.CancellationToken
            );
        var (first, second) = (Again(null), Again(all));
        Assert.Equal((0, 0), (first.Tokens, second.Tokens));
        Assert.All(second.Results, result => Assert.Equal("all", result.Suppressed));
        var retained = Assert.Single(TaskRetention.Of([Load()], first, second));
        Assert.Equal(("t", "acc_uncond", "all", 6), (retained.Task, retained.Metric, retained.Suppressed, retained.Retained.Items));
        Assert.Equal(1 / 3.0, retained.Retained.Chance, 1e-12);
        var (kept, had) = (
            silenced.Where(sample => sample.Suppressed == "all").Average(sample => sample.Values["acc_uncond"]),
            whole.Average(sample => sample.Values["acc_uncond"])
        );
        Assert.Equal((had, kept), (retained.Retained.Full, retained.Retained.Less));
        Assert.Equal(had > 0 ? kept / had : null, retained.Retained.Share);
        Assert.Equal(had > 1 / 3.0 + 1e-9 ? (kept - 1 / 3.0) / (had - 1 / 3.0) : null, retained.Retained.AboveChance);
        Assert.Throws<ArgumentException>(() =>
            TaskRunner.Run(Model, null, [Load()], Options with { Suppression = all }, cancellation: TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public void Two_runs_do_not_write_one_file()
    {
        using var first = SampleFile.Open(Folder.File("one.jsonl"), resume: true);
        Assert.Contains(
            "one.jsonl",
            Assert.Throws<IOException>(() => SampleFile.Open(Folder.File("one.jsonl"), resume: true)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_model_is_known_by_its_files_and_not_by_its_name()
    {
        Samples(Options with { Model = "a", ModelIdentity = "x" });
        Assert.All(Samples(Options with { Model = "./a", ModelIdentity = "x" }), sample => Assert.Equal("a", sample.Model));
        Assert.Equal(6, File.ReadAllLines(Folder.File("samples.jsonl")).Length);
        Assert.Equal(12, Samples(Options with { Model = "a", ModelIdentity = "y" }).Length);
    }

    [Fact]
    public void Samples_hold_what_the_headline_metric_follows_from()
    {
        var samples = Samples(Options);
        Assert.All(
            samples,
            sample =>
            {
                var gains = sample.Scores!.Zip(sample.NeutralScores!, (score, neutral) => score - neutral).ToArray();
                Assert.Equal(Array.IndexOf(gains, gains.Max()), sample.Prediction!.GetValue<int>());
            }
        );
        Write("t.json", [Choice.Replace("\"acc_uncond\", ", "")]);
        Assert.All(Samples(Options, file: "acc.jsonl"), sample => Assert.Null(sample.NeutralScores));
    }

    /// <summary>
    /// What was generated becomes "[invalid]", which the prompt makes a harmless line; the tests do what generated code may do.
    /// </summary>
    [Fact]
    public void What_became_of_generated_programs_stands_in_the_samples()
    {
        Sandbox sandbox;
        try
        {
            sandbox = Sandbox.Open();
        }
        catch (NotSupportedException error)
        {
            Assert.Skip(error.Message);
            return;
        }
        Write(
            "code.json",
            [
                """
                { "task": "code", "version": 1, "description": "d", "kind": "generate", "data": [{ "files": ["code.jsonl"] }], "prompt": "{{ text }}",
                  "metrics": ["pass@1"], "max_new_tokens": 1, "filters": [{ "name": "none", "steps": ["/\\u0001(never)/"] }], "code": "humaneval" }
                """,
            ]
        );
        string[] tests = ["pass", "assert 1 == 2", "while True: pass", "open('/etc/passwd')"];
        Write(
            "code.jsonl",
            tests.Select(test =>
                JsonSerializer.Serialize(
                    new
                    {
                        text = "t",
                        prompt = "def f(): pass\ninvalid = 0\n",
                        entry_point = "f",
                        test = $"def check(candidate):\n    {test}",
                    }
                )
            )
        );
        var samples = Samples(Options with { Sandbox = sandbox }, Load("code.json"), "code-samples.jsonl");
        Assert.Equal([1, 0, 0, 0], samples.Select(sample => sample.Values["pass@1"]));
        string[] became = ["completed", "AssertionError", "time limit", "FileNotFoundError"];
        foreach (var (sample, expected) in samples.Zip(became))
            Assert.Contains(expected, sample.Program!, StringComparison.Ordinal);
        var none = Samples(Options, Load("code.json"), "not-run.jsonl");
        Assert.All(none, sample => Assert.Equal((null, 0), (sample.Program, sample.Values.Count)));
    }

    [Theory]
    [InlineData("yes", "no")]
    [InlineData("\"gold\": 0", "\"gold\": 1")]
    public void A_row_that_has_changed_is_asked_again(string from, string to)
    {
        Samples(Options with { Shots = 0 });
        Write("rows.jsonl", File.ReadAllLines(Folder.File("rows.jsonl")).Select((row, i) => i == 0 ? row.Replace(from, to) : row));
        var again = Samples(Options with { Shots = 0 });
        Assert.Equal(7, again.Length);
        Assert.Equal(again[0].PromptSha256, again[1].PromptSha256);
        Assert.NotEqual(again[0].ItemSha256, again[1].ItemSha256);
    }
}
