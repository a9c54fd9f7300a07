using System.Text.Json;
using System.Text.RegularExpressions;
using Engram.Evaluation.Harness;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Cli;

/// <summary>Task files of a user's own: the example of the guide as it stands there, and what is refused before anything is read.</summary>
[Collection(nameof(TrainedRun))]
public sealed partial class EvalTaskFileTests(TrainedRun trained)
{
    /// <summary>The folder "mine" of the guide's example.</summary>
    private string Mine()
    {
        var mine = trained["mine"];
        if (Directory.Exists(mine))
            return mine;
        Directory.CreateDirectory(mine);
        var page = Page();
        File.WriteAllText(Path.Combine(mine, "capitals.jsonl"), Block(page, "jsonl"));
        File.WriteAllText(Path.Combine(mine, "capitals.json"), Block(page, "json"));
        return mine;
    }

    private static string Page() => File.ReadAllText(Path.Combine(Repository.Root, "docs", "task-files.md"));

    /// <summary>The blocks of the page that are in a language; "" for commands.</summary>
    private static string[] Blocks(string page, string language) =>
        [.. Fence().Matches(page).Where(block => block.Groups[1].Value == language).Select(block => block.Groups[2].Value)];

    private static string Block(string page, string language) => Assert.Single(Blocks(page, language));

    /// <summary>A command of the page with the model and the folder of the test.</summary>
    private string[] Command(string line) =>
        [
            .. line.Trim()
                .Split(' ')
                .Skip(1)
                .Select(word =>
                    word == "run/model" ? trained.Model
                    : word == "mine" || word.StartsWith("mine/", StringComparison.Ordinal) ? Mine() + word["mine".Length..]
                    : word
                ),
        ];

    [Fact]
    public async Task TheExampleOfTheGuide_RunsAsItIsWritten()
    {
        var page = Page();
        var (commands, answers) = (Blocks(page, ""), Blocks(page, "text"));
        Assert.Equal((2, 2), (commands.Length, answers.Length));
        Assert.Equal(answers[0].Trim(), (await CliProcess.Run(Command(commands[0]))).Ok().Output.Trim());
        // Scores are the model's; what they are of is the page's.
        var scored = (await CliProcess.Run(Command(commands[1]))).Ok().Output;
        Assert.Equal(Cells(answers[1]), Cells(scored));
        var item = (await CliProcess.Run([.. Command(commands[1]), "--samples", trained["capitals-samples.jsonl"], "--json"])).Ok().Json;
        Assert.Equal(2, item.GetProperty("results").GetArrayLength());
        var sample = File.ReadLines(trained["capitals-samples.jsonl"])
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Single(line => line.GetProperty("index").GetInt32() == 0);
        Assert.Equal(0, sample.GetProperty("gold").GetInt32());
        Assert.Equal(
            ItemScoring.HashOf(
                "Question: What is the capital of Italy?\nAnswer: Rome\n\nQuestion: What is the capital of France?\nAnswer:"
            ),
            sample.GetProperty("prompt_sha256").GetString()
        );
    }

    /// <summary>Task, metric, shots and items of the rows of a table.</summary>
    private static string[] Cells(string table) =>
        [
            .. table
                .Split('\n')
                .Where(line => line.StartsWith("│ capitals", StringComparison.Ordinal))
                .Select(line => string.Join('|', line.Split('│').Skip(1).Take(4).Select(cell => cell.Trim()))),
        ];

    [Fact]
    public async Task WhatIsWrongWithTasks_IsSaidBeforeTheModelIsRead()
    {
        var mine = Mine();
        string At(string name) => Path.Combine(mine, name);
        var text = await File.ReadAllTextAsync(At("capitals.json"), TestContext.Current.CancellationToken);
        File.WriteAllText(At("again.json"), text);
        File.WriteAllText(At("metric.json"), text.Replace("acc_norm", "acc_nrm"));
        File.WriteAllText(At("column.json"), text.Replace("cities", "citis"));
        File.WriteAllText(
            At("shot.json"),
            text.Replace("\"count\": 1", "\"count\": 1, \"items\": [{ \"q\": \"x\", \"cities\": [\"y\"] }]")
        );
        File.WriteAllText(At("absent.json"), text.Replace("capitals.jsonl", "elsewhere.jsonl"));
        foreach (
            var (code, tasks, said) in new[]
            {
                (2, $"{At("capitals.json")},{At("again.json")}", "Two tasks are called 'capitals'"),
                (2, "mmul", "Did you mean \"mmlu\"?"),
                (2, ",", "--tasks names no task"),
                (1, At("metric.json"), "Did you mean \"acc_norm\"?"),
                (1, At("absent.json"), "looked there for elsewhere.jsonl"),
                (
                    1,
                    At("column.json"),
                    "no column \"citis\"; the row has \"q\", \"cities\", \"right\", \"_file\". Did you mean \"cities\"?"
                ),
                (1, At("shot.json"), "few_shot.items[0]: no column \"right\"; the row has \"q\", \"cities\"."),
            }
        )
        {
            var refused = await CliProcess.Run("eval", trained.Model, "--tasks", tasks, "--data-root", mine);
            Assert.Equal((code, ""), (refused.ExitCode, refused.Output));
            Assert.Contains(said, refused.ErrorLine);
            Assert.DoesNotContain("data set's version", refused.ErrorLine);
        }
        string[] ordinary = ["--tasks", At("capitals.json"), "--data-root", mine];
        foreach (
            var (arguments, said) in new (string[], string)[]
            {
                ([trained.Model, "--memory", "on,off,on"], "--memory names 'on' twice"),
                ([trained.Model, trained.Model + "/"], "stands there twice"),
            }
        )
        {
            var refused = await CliProcess.Run(["eval", .. arguments, .. ordinary]);
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains(said, refused.ErrorLine);
        }
    }

    [Fact]
    public async Task TheTableOfTheList_FitsOrdinaryTerminals()
    {
        var list = (await CliProcess.Run("eval", "--list", "--data-root", Mine())).Ok();
        Assert.All(list.Output.Split('\n'), line => Assert.True(line.Length <= 140, $"{line.Length}: {line}"));
        Assert.Contains("0 of 11", list.Output);
    }

    [GeneratedRegex(@"^```(\w*)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();
}
