using System.Text.Json;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Models.Memory;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>Tasks from their files to their scores, on a small model.</summary>
public sealed class TaskRunnerTests : TasksInFolder
{
    [Fact]
    public void Prompts_hold_instruction_examples_and_question()
    {
        // Of the first subject's rows the first two that are not the item itself; of the second's its only other one.
        var samples = Samples(Options);
        Assert.Equal(
            ItemScoring.HashOf("About one.\n\nQ: which 0\nA: yes\n\nQ: which 1\nA: no\n\nQ: which 2\nA:"),
            samples[2].PromptSha256
        );
        Assert.Equal(
            ItemScoring.HashOf("About one.\n\nQ: which 1\nA: no\n\nQ: which 2\nA: a é 2\n\nQ: which 0\nA:"),
            samples[0].PromptSha256
        );
        Assert.Equal(ItemScoring.HashOf("About two.\n\nQ: which 5\nA: a é 5\n\nQ: which 4\nA:"), samples[4].PromptSha256);
        Assert.Equal(
            ItemScoring.HashOf("About one.\n\nQ: which 0\nA:"),
            Samples(Options with { Shots = 0 }, file: "zero.jsonl")[0].PromptSha256
        );
    }

    [Fact]
    public void Scores_follow_from_the_likelihoods_of_the_options()
    {
        var result = TaskRunner.Run(Model, Model.Memory, [Load()], Options, cancellation: TestContext.Current.CancellationToken);
        var samples = Samples(Options);
        foreach (
            var (metric, lengths) in new (string, Func<string, int, double>)[]
            {
                ("acc", (_, _) => 1),
                ("acc_norm", (option, _) => option.Length),
                ("acc_bytes", (option, _) => System.Text.Encoding.UTF8.GetByteCount(option)),
                ("acc_tok", (_, tokens) => tokens),
            }
        )
        {
            var right = samples
                .Select(sample =>
                {
                    var values = sample.Scores!.Select((score, i) => score / lengths(sample.Options![i], sample.Tokens![i])).ToArray();
                    return Array.IndexOf(values, values.Max()) == sample.Gold!.GetValue<int>() ? 1.0 : 0;
                })
                .ToArray();
            var score = result.Results.Single(one => one.Metric == metric);
            Assert.Equal(right.Average(), score.Value!.Value, 1e-12);
            Assert.Equal(Math.Sqrt(score.Value.Value * (1 - score.Value.Value) / 5), score.StandardError!.Value, 1e-12);
            // Subjects of four and two items count alike.
            Assert.Equal(
                (right[..4].Average() + right[4..].Average()) / 2,
                result.Results.Single(one => one.Metric == $"{metric},macro").Value!.Value,
                1e-12
            );
        }
        Assert.Equal(
            ["acc_uncond", 0.89, 6, 1],
            new object?[] { result.Results[0].Metric, result.Results[0].Published, result.Results[0].Items, result.Results[0].Shots }
        );
        Assert.All(result.Results.Skip(1), one => Assert.Null(one.Published));
    }

    [Fact]
    public void What_a_model_would_write_itself_is_a_metric()
    {
        Write("t.json", [Choice.Replace("\"acc_uncond\", \"acc\"", "\"greedy\", \"acc\"")]);
        var row = File.ReadAllLines(Folder.File("rows.jsonl"))[0];
        var prompt = "About one.\n\nQ: which 0\nA:";
        var scorer = new Scorer(Model, Model.Memory);
        // The likeliest next text, as an option, is what the model writes.
        var written = scorer.Answer([new GenerationRequest(prompt, ["\u0001"], 1)])[0].Text!;
        Assert.True(scorer.Answer([new LikelihoodRequest(prompt, written)])[0].Greedy);
        Write("rows.jsonl", [row]);
        var other = Samples(Options with { Shots = 0 }, file: "other.jsonl").Single();
        Assert.Equal((0, false), (other.Values["greedy"], other.Correct!.Value));
        Write(
            "t.json",
            [
                Choice
                    .Replace("\"acc_uncond\", \"acc\"", "\"greedy\", \"acc\"")
                    .Replace("\"prompt\"", "\"target_delimiter\": \"\", \"prompt\""),
            ]
        );
        Write(
            "rows.jsonl",
            [
                JsonSerializer.Serialize(
                    new
                    {
                        question = "which 0",
                        choices = new[] { "no", written },
                        gold = 1,
                        subject = "one",
                    }
                ),
            ]
        );
        var own = Samples(Options with { Shots = 0 }, file: "own.jsonl").Single();
        Assert.Equal((1, true), (own.Values["greedy"], own.Correct!.Value));
    }

    [Fact]
    public void Every_control_of_the_memory_is_an_ordinary_argument()
    {
        using var oneRow = Model.Memory!.Ablation(MemoryUse.OneRow);
        using var shuffled = Model.Memory!.Ablation(MemoryUse.ShuffledRows);
        var request = new LikelihoodRequest("which", " yes");
        double[] scores =
        [
            .. new[] { Model.Memory, null, oneRow, shuffled }.Select(memory =>
                new Scorer(Model, memory).Answer([request])[0].LogLikelihood
            ),
        ];
        Assert.Equal(4, scores.Distinct().Count());
        // Whatever the n-gram, the same row of each head is read.
        var rows = new MemoryRows();
        oneRow!.Address(Model.Tokenizer.Encode("which yes which no"), [], 1, rows);
        var first = rows.Layer(0)[..oneRow.Columns].ToArray();
        for (var t = 1; t < rows.Tokens; t++)
            Assert.Equal(first, rows.Layer(0).Slice(t * oneRow.Columns, oneRow.Columns).ToArray());
    }

    [Fact]
    public void A_control_takes_the_question_of_another_item_and_leaves_the_answer()
    {
        var (plain, controlled) = (
            Samples(Options with { Shots = 0 }),
            Samples(Options with { Shots = 0, Control = TaskControl.Stem }, file: "stem.jsonl")
        );
        Assert.Equal(plain.Select(sample => sample.Gold!.ToJsonString()), controlled.Select(sample => sample.Gold!.ToJsonString()));
        Assert.Equal(ItemScoring.HashOf("About one.\n\nQ: which 1\nA:"), controlled[0].PromptSha256);
        Assert.All(controlled, sample => Assert.Equal("stem", sample.Control));
        Assert.Contains(
            "no passage",
            Assert.Throws<ArgumentException>(() => Samples(Options with { Control = TaskControl.Context })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Generated_answers_are_found_by_filters_and_compared()
    {
        Write("g.jsonl", ["""{"q": "one", "answers": ["x", "y"]}""", """{"q": "two", "answers": "z"}"""]);
        Write(
            "g.json",
            [
                """
                { "task": "g", "version": 1, "description": "d", "kind": "generate", "data": [{ "files": ["g.jsonl"] }], "prompt": "{{ q }}", "metrics": ["exact_match", "contains"],
                  "max_new_tokens": 4, "stop": ["\n"], "filters": [{ "name": "all", "steps": ["/^((?s:.*))$/"] }, { "name": "none", "steps": ["/§/-1"] }], "match": { "ignore_case": true } }
                """,
            ]
        );
        var result = TaskRunner.Run(Model, Model.Memory, [Load("g.json")], Options, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(["exact_match,all", "contains,all", "exact_match,none", "contains,none"], result.Results.Select(one => one.Metric));
        Assert.All(result.Results, one => Assert.Equal(2, one.Items));
        Assert.Equal(
            ["[\"x\",\"y\"]", "\"z\""],
            Samples(Options, Load("g.json"), "g-samples.jsonl").Select(sample => sample.Gold!.ToJsonString())
        );
    }

    [Fact]
    public void Texts_are_scored_per_token_byte_and_word()
    {
        Write("r.jsonl", ["""{"text": "one two three"}""", """{"text": "é four"}"""]);
        Write(
            "r.json",
            [
                """
                { "task": "r", "version": 1, "description": "d", "kind": "rolling", "data": [{ "files": ["r.jsonl"] }], "prompt": "{{ text }}", "metrics": ["loss", "bits_per_byte", "byte_perplexity", "word_perplexity"] }
                """,
            ]
        );
        var result = TaskRunner
            .Run(Model, Model.Memory, [Load("r.json")], Options, cancellation: TestContext.Current.CancellationToken)
            .Results;
        var nats = -new Scorer(Model, Model.Memory)
            .Answer([new RollingRequest("one two three"), new RollingRequest("é four")])
            .Sum(answer => answer.LogLikelihood);
        Assert.Equal(nats / (13 + 7) / Math.Log(2), result[1].Value!.Value, 1e-9);
        Assert.Equal(Math.Exp(nats / 20), result[2].Value!.Value, 1e-6);
        Assert.Equal(Math.Exp(nats / 5), result[3].Value!.Value, 1e-3 * Math.Exp(nats / 5));
    }

    [Fact]
    public void A_group_weighs_its_tasks_by_size_or_not()
    {
        Write("first.json", [Choice.Replace("\"t\"", "\"first\"")]);
        TaskResult[] parts = [new("a", "acc", 0.5, 0.1, 4, 0, "on", "none", null), new("b", "acc", 1, 0, 12, 0, "on", "none", null)];
        var group = new TaskFile
        {
            Task = "g",
            Version = 1,
            Description = "d",
            Kind = TaskKind.Group,
            Tasks = ["a", "b"],
        };
        Assert.Equal(0.875, TaskAggregation.OfGroup(group, parts, comparable: true).Value);
        Assert.Equal(0.75, TaskAggregation.OfGroup(group with { WeightBySize = false }, parts, comparable: true).Value);
    }

    [Theory]
    [InlineData("""{"question": "q", "gold": 0, "subject": "one"}""", "rows.jsonl:1: no column \"choices\"")]
    [InlineData(
        """{"question": "q", "choices": ["a"], "gold": 1, "subject": "one"}""",
        "rows.jsonl:1: the right option 1 is outside the list of 1 options"
    )]
    [InlineData("""{"question": "q", "choices": [], "gold": 0, "subject": "one"}""", "rows.jsonl:1")]
    [InlineData("""{"choices": ["a", "b"], "gold": 0, "subject": "one"}""", "rows.jsonl:1: template \"Q: {{ question }}")]
    [InlineData("""{"question": """, "rows.jsonl:1")]
    [InlineData("""{"question": null, "choices": ["a", "b"], "gold": 0, "subject": "one"}""", "rows.jsonl:1: template")]
    [InlineData("""{"question": "q", "choices": ["a", ""], "gold": 0, "subject": "one"}""", "rows.jsonl:1: option 1")]
    [InlineData("""{"question": "q", "question": "r", "choices": ["a"], "gold": 0, "subject": "one"}""", "rows.jsonl:1: not JSON")]
    [InlineData("""{"question": "\ud800", "choices": ["a"], "gold": 0, "subject": "one"}""", "rows.jsonl:1")]
    public void A_bad_row_is_one_line_that_names_it(string row, string message)
    {
        Write("rows.jsonl", [row]);
        var error = Assert.Throws<InvalidDataException>(() =>
            TaskRunner.Run(Model, null, [Load()], Options with { Shots = 0 }, cancellation: TestContext.Current.CancellationToken)
        );
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    /// <summary>Options and right ones in columns of other names: by index, text, letter or number in a text.</summary>
    [Theory]
    [InlineData("1", 1)]
    [InlineData("\"Rome\"", 1)]
    [InlineData("\"C\"", 2)]
    [InlineData("\"2\"", 2)]
    [InlineData("[\"Paris\", 2]", 0, 2)]
    [InlineData("\"Berlin\"", null)]
    [InlineData("\"D\"", null)]
    [InlineData("1.5", null)]
    [InlineData("true", null)]
    public void The_right_option_is_named_by_index_text_or_letter(string right, params int[]? golds)
    {
        Write("rows.jsonl", [$$"""{"question": "q", "subject": "one", "cities": ["Paris", "Rome", "Oslo"], "right": {{right}}}"""]);
        Write("t.json", [Choice.Replace("\"stem\"", "\"options\": \"cities\", \"gold\": \"right\", \"stem\"")]);
        TaskItem Item() => new TaskQuestions(Load(), 0, []).Item(0, RowOf("rows.jsonl"), RowOf("rows.jsonl"));
        if (golds is null)
            Assert.StartsWith("rows.jsonl:1: ", Assert.Throws<InvalidDataException>(Item).Message, StringComparison.Ordinal);
        else
            Assert.Equal(
                ["Paris", "Rome", "Oslo", .. golds.Select(gold => $"{gold}")],
                [.. Item().Options, .. Item().Golds.Select(gold => $"{gold}")]
            );
    }

    private Engram.Evaluation.Datasets.DatasetRow RowOf(string file) =>
        Engram.Evaluation.Datasets.DatasetReader.Read(Folder.File(file), file).Single();

    [Theory]
    [InlineData("{{ question }", "template")]
    [InlineData("{% for %}", "template")]
    [InlineData("{% for i in (1..2000000000) %}{% endfor %}", "template")]
    [InlineData("{% assign s = question %}{% for c in choices %}{% assign s = s | append: s %}{% endfor %}", "template")]
    [InlineData("{% for c in choices %}{% capture s %}{{ s }}{{ s }}x{% endcapture %}{% endfor %}", "template")]
    public void A_bad_template_is_one_line_that_names_it(string prompt, string message)
    {
        Write("t.json", [Choice.Replace("Q: {{ question }}\\nA:", prompt)]);
        var error = Assert.Throws<InvalidDataException>(() =>
            TaskRunner.Run(Model, null, [Load()], Options, cancellation: TestContext.Current.CancellationToken)
        );
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void An_unknown_key_of_a_task_file_and_missing_data_are_said()
    {
        Write("t.json", [Choice.Replace("\"stem\"", "\"stam\"")]);
        Assert.Contains("stam", Assert.Throws<InvalidDataException>(() => Load()).Message, StringComparison.Ordinal);
        Write("t.json", [Choice]);
        File.Delete(Folder.File("rows.jsonl"));
        Assert.Contains(
            "absent.jsonl",
            Assert
                .Throws<FileNotFoundException>(() =>
                    TaskRunner.Run(Model, null, [Load()], Options, cancellation: TestContext.Current.CancellationToken)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Shots_are_those_that_prompts_have_and_what_is_cut_is_counted()
    {
        // Of the second subject there is one other row, so that its prompts have one example of the two.
        var plain = Run(Options)[0];
        Assert.Equal((1, 2, 0), (plain.Shots, plain.ShotsAsked, plain.Truncated));
        Assert.Equal([2, 2, 2, 2, 1, 1], Samples(Options).Select(sample => sample.Shots));
        Write("t.json", [Choice.Replace("\"instruction\": \"", $"\"instruction\": \"{string.Concat(Enumerable.Repeat("word ", 300))}")]);
        Assert.Equal(6, Run(Options)[0].Truncated);
        Assert.All(Samples(Options, file: "cut.jsonl"), sample => Assert.True(sample.Lost > 0));
        // Examples that rows bring along count too.
        Write("rows.jsonl", ["""{"question": "q", "choices": ["a", "b"], "gold": 0, "subject": "one", "earlier": ["x", "y", "z"]}"""]);
        Write("t.json", [Choice.Replace("\"stem\"", "\"worked\": \"earlier\", \"stem\"")]);
        Assert.Equal((3, 0), Run(Options with { Shots = 0 })[0] is var worked ? (worked.Shots, worked.ShotsAsked) : default);
        // A task may say how many these are to be.
        Write("t.json", [Choice.Replace("\"stem\"", "\"worked\": \"earlier\", \"worked_count\": 4, \"stem\"")]);
        Assert.Equal((3, 4), Run(Options with { Shots = 0 })[0] is var counted ? (counted.Shots, counted.ShotsAsked) : default);
    }

    [Fact]
    public void Several_answers_to_an_item_make_pass_at_k_and_means()
    {
        Write("g.jsonl", ["""{"q": "one", "answers": "e"}""", """{"q": "two", "answers": "a"}"""]);
        Write(
            "g.json",
            [
                """
                { "task": "g", "version": 1, "description": "d", "kind": "generate", "data": [{ "files": ["g.jsonl"] }], "prompt": "{{ q }}", "metrics": ["contains"],
                  "max_new_tokens": 4, "stop": ["\n"], "repeats": 5, "temperature": 1.0 }
                """,
            ]
        );
        var samples = Samples(Options, Load("g.json"), "g-samples.jsonl");
        foreach (var (sample, letter) in samples.Zip("ea"))
        {
            Assert.Equal(5, sample.Generations!.Count);
            Assert.Equal(sample.Generations[0], sample.Generated);
            Assert.Equal(
                sample.Generations.Average(text => text.Contains(letter) || text.Contains(char.ToUpper(letter)) ? 1.0 : 0),
                sample.Values["contains"]
            );
        }
        Dictionary<string, double> right = new() { ["pass@1"] = 1, ["pass@2,all"] = 1 },
            wrong = new() { ["pass@1"] = 0, ["pass@2,all"] = 0 };
        var together = GeneratedAnswers.Together([right, wrong, wrong, wrong]);
        Assert.Equal((0.25, 0.5), (together["pass@1"], together["pass@2,all"])); // 1 − 3/6 pairs without the right one
        Write("g.json", [File.ReadAllText(Folder.File("g.json")).Replace("contains", "pass@6")]);
        Assert.Contains("pass@6 needs", Assert.Throws<InvalidDataException>(() => Load("g.json")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_limit_takes_the_first_items_of_each_part() =>
        Assert.Equal([0, 1, 4, 5], Samples(Options with { Limit = 2 }).Select(sample => sample.Index));

    /// <summary>Options and right answers are no part of a prompt, but of the score.</summary>
    [Fact]
    public void A_group_that_holds_itself_is_refused()
    {
        Write(
            "circle.json",
            [$$"""{ "task": "circle", "version": 1, "description": "d", "kind": "group", "tasks": ["{{Folder.File("circle.json")}}"] }"""]
        );
        Assert.Contains(
            "part of itself",
            Assert.Throws<InvalidDataException>(() => TaskRunner.Leaves(Load("circle.json")).ToArray()).Message,
            StringComparison.Ordinal
        );
    }

    private IReadOnlyList<TaskResult> Run(EvaluationOptions options) =>
        TaskRunner.Run(Model, Model.Memory, [Load()], options, cancellation: TestContext.Current.CancellationToken).Results;

    [Fact]
    public void Two_models_are_compared_on_the_same_items()
    {
        var one = TaskRunner.Run(Model, Model.Memory, [Load()], Options, cancellation: TestContext.Current.CancellationToken);
        var comparison = TaskComparison.Of([Load()], "a", one, "b", one).Single();
        Assert.Equal((0.0, 6, 1.0), (comparison.Difference, comparison.Items, comparison.PValue));
    }
}
