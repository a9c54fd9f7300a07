using System.Text.Json;

namespace Engram.Torch.Tests.Cli;

/// <summary>What <c>engram eval MODEL --tasks</c> shows and records of a run.</summary>
[Collection(nameof(TrainedRun))]
public sealed class EvalReportTests(TrainedRun trained)
{
    private string Root()
    {
        var root = trained["report"];
        if (Directory.Exists(root))
            return root;
        Directory.CreateDirectory(root);
        File.WriteAllLines(
            Path.Combine(root, "rows.jsonl"),
            Enumerable
                .Range(0, 6)
                .Select(i =>
                    $$"""{"question": "the \u001b[31mmare {{i}} ", "choices": ["rode", "tamed\ta horse"], "gold": {{i % 2}}, "subject": "s{{i / 3}}"}"""
                )
        );
        File.WriteAllText(
            Path.Combine(root, "pick.json"),
            """
            { "task": "pick", "version": 1, "description": "d", "kind": "choice", "data": [{ "files": ["rows.jsonl"] }], "few_shot": { "count": 1 },
              "subtask": "subject", "prompt": "{{ question }}", "metrics": ["acc"], "stem": ["question"] }
            """
        );
        File.WriteAllText(
            Path.Combine(root, "all.json"),
            $$"""{ "task": "all", "version": 1, "description": "d", "kind": "group", "tasks": ["{{Path.Combine(root, "pick.json")}}"] }"""
        );
        return root;
    }

    private string[] Eval(string task, params string[] more) =>
        ["eval", .. more, "--tasks", Path.Combine(Root(), task), "--data-root", Root(), "--threads", "1"];

    private static (string?, string?)[] Pairs(JsonElement json) =>
        [
            .. json.GetProperty("comparisons")
                .EnumerateArray()
                .Select(one => (one.GetProperty("model").GetString(), one.GetProperty("other").GetString())),
        ];

    [Fact]
    public async Task Prompts_AreShownWithoutAModel_AndSteerNoTerminal()
    {
        var shown = (await CliProcess.Run(Eval("all.json", "--show-prompts", "1"))).Ok();
        Assert.Equal(
            """
            === pick, item 0 (rows.jsonl:1), 1 worked example
            the ␛[31mmare 1  tamed⇥a horse

            the ␛[31mmare 0␣
            --- choice 0: ␣rode
            --- choice 1: ␣tamed⇥a␣horse
            --- right: 0


            """.ReplaceLineEndings(),
            shown.Output
        );
        var json = (await CliProcess.Run(Eval("pick.json", "--show-prompts", "2", "--shots", "0", "--control", "none,stem", "--json")))
            .Ok()
            .Json;
        Assert.Equal(
            ["the \e[31mmare 0 ", "the \e[31mmare 1 ", "the \e[31mmare 1 ", "the \e[31mmare 2 "],
            json.EnumerateArray().Select(prompt => prompt.GetProperty("prompt").GetString())
        );
        Assert.Contains("leave MODEL out", (await CliProcess.Run(Eval("pick.json", trained.Model, "--show-prompts", "1"))).ErrorLine);
    }

    [Fact]
    public async Task Run_IsRecorded_AndEveryColumnIsComparedWithWhatItIsAChangeOf()
    {
        var (output, other) = (trained["report.json"], trained["report-copy"]);
        Directory.CreateDirectory(other);
        foreach (var file in Directory.GetFiles(trained.Model, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(other, Path.GetRelativePath(trained.Model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        string[] arguments = Eval(
            "all.json",
            trained.Model,
            other,
            "--memory",
            "on,shuffled",
            "--memory-seed",
            "5",
            "--control",
            "none,stem",
            "--limit",
            "2",
            "--by-part",
            "--output",
            output
        );
        var shown = (await CliProcess.Run(arguments)).Ok();
        var json = JsonDocument.Parse(File.ReadAllText(output)).RootElement;
        var (a, b) = (trained.Model, other);
        Assert.Equal(
            [
                Pair($"{a}, memory on, items as they are", $"{a}, memory on, stem exchanged"),
                Pair($"{a}, memory on, items as they are", $"{a}, memory shuffled, items as they are"),
                Pair($"{a}, memory shuffled, items as they are", $"{a}, memory shuffled, stem exchanged"),
                Pair($"{a}, memory on, items as they are", $"{b}, memory on, items as they are"),
                Pair($"{b}, memory on, items as they are", $"{b}, memory on, stem exchanged"),
                Pair($"{b}, memory on, items as they are", $"{b}, memory shuffled, items as they are"),
                Pair($"{a}, memory shuffled, items as they are", $"{b}, memory shuffled, items as they are"),
                Pair($"{b}, memory shuffled, items as they are", $"{b}, memory shuffled, stem exchanged"),
            ],
            Pairs(json).Distinct()
        );
        // The group has a line beside its task's.
        Assert.Equal(
            ["all", "pick"],
            json.GetProperty("comparisons").EnumerateArray().Take(2).Select(one => one.GetProperty("task").GetString())
        );
        Assert.All(
            json.GetProperty("results").EnumerateArray(),
            result => Assert.Equal((4, 6), (result.GetProperty("items").GetInt32(), result.GetProperty("of_items").GetInt32()))
        );
        Assert.Equal(["s0", "s1"], json.GetProperty("parts").EnumerateArray().Take(2).Select(part => part.GetProperty("part").GetString()));

        var run = json.GetProperty("run");
        Assert.Equal(
            (2, 5, 1, "cpu"),
            (
                run.GetProperty("limit").GetInt32(),
                run.GetProperty("seeds").GetProperty("memory").GetInt32(),
                run.GetProperty("threads").GetInt32(),
                run.GetProperty("device").GetString()
            )
        );
        Assert.Equal(JsonValueKind.Null, run.GetProperty("shots").ValueKind);
        var models = run.GetProperty("models").EnumerateArray().ToArray();
        Assert.Equal([a, b], models.Select(model => model.GetProperty("model").GetString()));
        // A copy is the same model.
        foreach (var field in (string[])["engine", "identity", "tokenizer"])
            Assert.Equal(models[0].GetProperty(field).GetString(), models[1].GetProperty(field).GetString());
        Assert.Equal(64, models[0].GetProperty("identity").GetString()!.Length);

        foreach (var text in (string[])["4 of 6", "2 of 3", "s1", "difference", "less"])
            Assert.Contains(text, shown.Output);

        static (string?, string?) Pair(string one, string other) => (one, other);
    }

    [Fact]
    public async Task Tables_SayWhatWasCutAndWhatHasNoError_AndWhatWasTakenFromSamples()
    {
        var samples = trained["report-samples.jsonl"];
        string[] arguments = Eval("pick.json", trained.Model, "--max-length", "8", "--samples", samples, "--prompts");
        var first = (await CliProcess.Run([.. arguments, "--limit", "1"])).Ok();
        Assert.Contains("1, cut to 0", first.Output);
        Assert.Contains("± –", (await CliProcess.Run(Eval("pick.json", trained.Model, "--limit", "1", "--by-part"))).Ok().Output);
        var lines = File.ReadAllLines(samples);
        Assert.Equal(2, lines.Length);
        Assert.All(lines, line => Assert.Equal([" rode", " tamed\ta horse"], Choices(line)));
        File.WriteAllText(samples, $"nothing\n{string.Join('\n', lines)}\n");

        var again = (await CliProcess.Run([.. arguments, "--resume"])).Ok();
        Assert.Contains("line 1 is no sample and is passed over", again.Errors);
        Assert.Contains($"2 of the 2 samples in {samples} were taken from it", again.Errors);

        static string?[] Choices(string line) =>
            [.. JsonDocument.Parse(line).RootElement.GetProperty("choices").EnumerateArray().Select(choice => choice.GetString())];
    }

    [Theory]
    [InlineData("there is no folder", 1, "--samples", "absent/items.jsonl")]
    [InlineData("absent", 1, "--output", "absent/results.json")]
    [InlineData("--control takes none, stem, context, not 'question'", 2, "--control", "none,question")]
    [InlineData("--prompts needs --samples", 2, "--prompts")]
    [InlineData("--memory-seed must not be negative", 2, "--memory-seed", "-1")]
    public async Task WhatCannotBe_IsSaidBeforeTheWork(string message, int code, params string[] more)
    {
        var result = await CliProcess.Run(Eval("pick.json", [trained.Model, .. more]));
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(message, result.ErrorLine);
    }
}
