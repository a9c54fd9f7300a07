using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Engram.Models.Folders;

namespace Engram.Torch.Tests.Cli;

/// <summary>engram eval, run as a user does, on a model of six training steps: what it answers, not how well.</summary>
[Collection(nameof(TrainedRun))]
public sealed class EvalTests(TrainedRun trained)
{
    private const int Items = 6;

    /// <summary>A folder with two task files and their rows.</summary>
    private string Root()
    {
        var root = trained["benchmark"];
        if (Directory.Exists(root))
            return root;
        Directory.CreateDirectory(root);
        File.WriteAllLines(
            Path.Combine(root, "rows.jsonl"),
            Enumerable
                .Range(0, Items)
                .Select(i =>
                    $$"""{"question": "the mare {{i}}", "choices": ["rode", "tamed a horse"], "gold": {{i % 2}}, "answer": "nobody"}"""
                )
        );
        File.WriteAllText(
            Path.Combine(root, "pick.json"),
            """
            { "task": "pick", "version": 3, "description": "d", "kind": "choice", "data": [{ "files": ["rows.jsonl"] }], "few_shot": { "count": 1 },
              "prompt": "{{ question }}", "metrics": ["acc", "acc_norm"], "stem": ["question"],
              "published": { "source": "s", "metric": "accuracy", "shots": 1, "scores": { "engram_27b": 50.0 } } }
            """
        );
        File.WriteAllText(
            Path.Combine(root, "say.json"),
            """
            { "task": "say", "version": 1, "description": "d", "kind": "generate", "data": [{ "files": ["rows.jsonl"] }], "prompt": "{{ question }}",
              "references": "answer", "metrics": ["exact_match"], "stop": ["."], "max_new_tokens": 3 }
            """
        );
        return root;
    }

    private string[] Eval(params string[] more) =>
        [
            "eval",
            trained.Model,
            "--tasks",
            $"{Path.Combine(Root(), "pick.json")},{Path.Combine(Root(), "say.json")}",
            "--data-root",
            Root(),
            "--threads",
            "1",
            .. more,
        ];

    private static string[] Names(JsonElement value) => [.. value.EnumerateObject().Select(property => property.Name)];

    [Fact]
    public async Task Tasks_AreScoredForEveryUseOfTheMemory_AndForEveryPartOfItThatIsSilenced()
    {
        var samples = trained["samples.jsonl"];
        string[] arguments = Eval(
            "--memory",
            "on,one-row",
            "--suppress",
            "all",
            "--suppress",
            "order=2@prompt",
            "--samples",
            samples,
            "--json"
        );
        var json = (await CliProcess.Run(arguments)).Ok().Json;
        Assert.Equal(["results", "parts", "comparisons", "retained", "run", "speed"], Names(json));

        // Two metrics of one task, one of the other, for two uses of the memory: whole, without all, without an order in the prompt.
        var results = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(3 * 2 * 3, results.Length);
        Assert.All(
            results,
            result =>
                Assert.Equal(
                    [
                        "task",
                        "metric",
                        "value",
                        "standard_error",
                        "items",
                        "shots",
                        "memory",
                        "control",
                        "published",
                        "model",
                        "suppressed",
                        "shots_asked",
                        "shots_kept",
                        "of_items",
                        "truncated",
                        "data",
                        "version",
                    ],
                    Names(result)
                )
        );
        var first = results[0];
        Assert.Equal(
            ("pick", "acc", Items, 1, "on", "none", 0.5, 3),
            (
                first.GetProperty("task").GetString(),
                first.GetProperty("metric").GetString(),
                first.GetProperty("items").GetInt32(),
                first.GetProperty("shots").GetInt32(),
                first.GetProperty("memory").GetString(),
                first.GetProperty("control").GetString(),
                first.GetProperty("published").GetDouble(),
                first.GetProperty("version").GetInt32()
            )
        );
        Assert.Equal(
            [null, "all", "order=2@prompt"],
            results.Take(9).Select(result => result.GetProperty("suppressed").GetString()).Distinct()
        );

        var retained = json.GetProperty("retained").EnumerateArray().ToArray();
        Assert.Equal(2 * 2 * 2, retained.Length);
        foreach (var one in retained)
        {
            var (whole, silenced, chance) = (Number(one, "whole"), Number(one, "silenced"), Number(one, "chance"));
            var pick = one.GetProperty("task").GetString() == "pick";
            Assert.Equal(pick ? 0.5 : 0, chance);
            Assert.Equal(whole, ValueOf(one, null));
            Assert.Equal(silenced, ValueOf(one, one.GetProperty("suppressed").GetString()));
            if (whole > 0)
                Assert.Equal(silenced / whole, Number(one, "share"), 1e-12);
            if (whole > chance)
                Assert.Equal((silenced - chance) / (whole - chance), Number(one, "above_chance"), 1e-12);
            else
                Assert.Equal(JsonValueKind.Null, one.GetProperty("above_chance").ValueKind);
        }

        var lines = File.ReadAllLines(samples).Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(2 * 2 * 3 * Items, lines.Length);
        Assert.All(
            lines,
            line =>
            {
                foreach (var field in (string[])["task", "index", "prompt_sha256", "prediction", "gold", "correct", "suppressed"])
                    Assert.True(line.TryGetProperty(field, out _), $"no {field} in {line}");
            }
        );
        var pickTwo = lines.First(line => line.GetProperty("task").GetString() == "pick" && line.GetProperty("index").GetInt32() == 2);
        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("the mare 0 rode\n\nthe mare 2"))),
            pickTwo.GetProperty("prompt_sha256").GetString()
        );
        Assert.Equal(0, pickTwo.GetProperty("gold").GetInt32());
        Assert.Equal(pickTwo.GetProperty("prediction").GetInt32() == 0, pickTwo.GetProperty("correct").GetBoolean());

        // The mean row of each head in place of every row is one row for every n-gram.
        Assert.Equal(Scores("one-row", null), Scores("on", "all"));
        Assert.Equal(Scores("one-row", null), Scores("one-row", "all"));
        Assert.NotEqual(Scores("on", null), Scores("on", "all"));
        Assert.NotEqual(Scores("on", null), Scores("on", "order=2@prompt"));

        // Nothing is asked again.
        var (length, again) = (new FileInfo(samples).Length, (await CliProcess.Run([.. arguments, "--resume"])).Ok().Json);
        Assert.Equal(json.GetProperty("retained").ToString(), again.GetProperty("retained").ToString());
        Assert.Equal(length, new FileInfo(samples).Length);
        Assert.All(again.GetProperty("speed").EnumerateArray(), arm => Assert.Equal(0, arm.GetProperty("tokens").GetInt64()));

        static double Number(JsonElement from, string name) => from.GetProperty(name).GetDouble();

        double ValueOf(JsonElement one, string? suppressed) =>
            results
                .First(result =>
                    result.GetProperty("task").GetString() == one.GetProperty("task").GetString()
                    && result.GetProperty("memory").GetString() == one.GetProperty("memory").GetString()
                    && result.GetProperty("suppressed").GetString() == suppressed
                )
                .GetProperty("value")
                .GetDouble();

        double[] Scores(string memory, string? suppressed) =>
            [
                .. lines
                    .Where(line =>
                        line.GetProperty("task").GetString() == "pick"
                        && line.GetProperty("memory").GetString() == memory
                        && line.GetProperty("suppressed").GetString() == suppressed
                    )
                    .OrderBy(line => line.GetProperty("index").GetInt32())
                    .SelectMany(line => line.GetProperty("scores").EnumerateArray().Select(score => score.GetDouble())),
            ];
    }

    [Fact]
    public async Task TextsLongerThanThoseOfTraining_AreToldOnce_AndCutIfWanted()
    {
        Assert.NotNull(TrainingNote.Read(trained.Model));
        var model = trained.Untrained("tiny-dense", 250);
        new TrainingNote(8).Write(model);
        string[] arguments = ["eval", model, "--tasks", Path.Combine(Root(), "pick.json"), "--data-root", Root(), "--json"];

        var whole = (await CliProcess.Run(arguments)).Ok();
        Assert.Contains("trained on texts of 8 tokens", whole.Errors);
        Assert.Equal(0, Truncated(whole));
        var cut = (await CliProcess.Run([.. arguments, "--max-length", "8"])).Ok();
        Assert.DoesNotContain("trained on texts", cut.Errors);
        Assert.Equal(Items, Truncated(cut));
        Assert.Contains($"{Items} prompts of pick lost their beginning, for which --max-length 8 has no room", cut.Errors);
        Assert.Contains("2 to 250 tokens", (await CliProcess.Run([.. arguments, "--max-length", "251"])).ErrorLine);

        static int Truncated(CliResult result) => result.Json.GetProperty("results")[0].GetProperty("truncated").GetInt32();
    }

    /// <summary>What is read of a folder is read before the work, so that nothing that is scored is lost.</summary>
    [Fact]
    public async Task DamagedTrainingNote_IsRefusedBeforeAnythingIsScored()
    {
        var (model, samples) = (trained.Untrained("tiny-dense", 252), trained["note-samples.jsonl"]);
        var note = Path.Combine(model, ModelFolder.TrainingFile);
        File.WriteAllText(note, "{\"length\":}");
        string[] arguments = ["eval", model, "--tasks", Path.Combine(Root(), "pick.json"), "--data-root", Root(), "--samples", samples];
        var refused = await CliProcess.Run(arguments);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(note, refused.ErrorLine);
        Assert.False(File.Exists(samples));

        File.Delete(note);
        (await CliProcess.Run(arguments)).Ok();
    }

    [Fact]
    public async Task Table_ShowsControlAndKeptShare()
    {
        var table = (
            await CliProcess.Run([
                "eval",
                trained.Model,
                "--tasks",
                Path.Combine(Root(), "pick.json"),
                "--data-root",
                Root(),
                "--control",
                "stem",
                "--suppress",
                "head=1@answer",
                "--limit",
                "4",
            ])
        )
            .Ok()
            .Output;
        foreach (
            var text in (string[])["acc (stem exchanged)", "whole", "without head=1@answer", "kept above chance, %", "paper, Engram-27B"]
        )
            Assert.Contains(text, table);
        Assert.Contains(
            "passage",
            (
                await CliProcess.Run([
                    "eval",
                    trained.Model,
                    "--tasks",
                    Path.Combine(Root(), "pick.json"),
                    "--data-root",
                    Root(),
                    "--control",
                    "context",
                ])
            ).ErrorLine
        );
    }

    [Theory]
    [InlineData("says no part of a memory", "--suppress", "everything")]
    [InlineData("layers 1, 2", "--suppress", "layer=9")]
    [InlineData("memory that is on", "--suppress", "all", "--memory", "off")]
    public async Task Parts_ThatThereAreNot_AreRefusedAtOnce(string message, params string[] arguments)
    {
        var result = await CliProcess.Run(Eval(arguments));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.ErrorLine);
    }

    /// <summary>Not even a memory that is on can be asked for where there is none.</summary>
    [Theory]
    [InlineData("generate", "--prompt", "The")]
    [InlineData("inspect", "--prompt", "The")]
    public async Task Memory_OfAModelWithoutOne_IsRefused(string command, string option, string text)
    {
        string[] arguments = [command, "--model", trained.Untrained("tiny-dense", 256), option, text, "--threads", "1"];
        foreach (var use in new[] { "on", "shuffled" })
        {
            var refused = await CliProcess.Run([.. arguments, "--memory", use]);
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains("--memory: The model has no memory", refused.ErrorLine);
        }
    }

    [Fact]
    public async Task ModelWithoutMemory_IsScoredOnce()
    {
        var dense = trained.Untrained("tiny-dense", 256);
        string[] arguments =
        [
            "eval",
            dense,
            "--tasks",
            Path.Combine(Root(), "pick.json"),
            "--data-root",
            Root(),
            "--threads",
            "1",
            "--json",
        ];
        var refused = await CliProcess.Run([.. arguments, "--memory", "on,off"]);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("no memory", refused.ErrorLine);
        Assert.Contains("Leave --memory out", refused.ErrorLine);
        Assert.Contains("Leave --suppress out", (await CliProcess.Run([.. arguments, "--suppress", "order=2"])).ErrorLine);

        var both = (await CliProcess.Run([.. arguments, trained.Model, "--memory", "on,off", "--suppress", "all"])).Ok();
        Assert.Contains("has no memory: it is scored once", both.Errors);
        Assert.Equal(
            [("none", null), ("on", null), ("on", "all"), ("off", null)],
            both.Json.GetProperty("speed")
                .EnumerateArray()
                .Select(arm => (arm.GetProperty("memory").GetString(), arm.GetProperty("suppressed").GetString()))
        );
    }

    [Fact]
    public async Task List_SaysOfEveryTaskWhatIsThere()
    {
        var root = trained["list"];
        Directory.CreateDirectory(Path.Combine(root, "pile"));
        File.WriteAllText(Path.Combine(root, "pile", "test.jsonl"), "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
        var list = (await CliProcess.Run("eval", "--list", "--data-root", root, "--json")).Ok().Json.EnumerateArray().ToArray();
        Assert.All(
            list,
            task =>
                Assert.Equal(
                    [
                        "task",
                        "found",
                        "path",
                        "rows",
                        "missing",
                        "kind",
                        "shots",
                        "metric",
                        "stand_in",
                        "published_items",
                        "parts",
                        "parts_found",
                        "description",
                    ],
                    Names(task)
                )
        );
        var pile = list.Single(task => task.GetProperty("task").GetString() == "pile");
        Assert.Equal(
            (true, "pile/test.jsonl", 2, null),
            (
                pile.GetProperty("found").GetBoolean(),
                pile.GetProperty("path").GetString(),
                pile.GetProperty("rows").GetInt32(),
                pile.GetProperty("missing").GetString()
            )
        );
        Assert.All(
            list.Where(task => task.GetProperty("task").GetString() != "pile"),
            task =>
            {
                Assert.False(task.GetProperty("found").GetBoolean());
                Assert.NotEqual("", task.GetProperty("missing").GetString());
            }
        );
    }
}
