using System.Text.Json.Nodes;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Metrics;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>What is wrong with a task file is said when it is loaded, in words of the file.</summary>
public sealed class TaskFileTests : IDisposable
{
    private const string Choice =
        """{ "task": "t", "version": 1, "description": "d", "kind": "choice", "data": [{ "files": ["t.jsonl"] }], "prompt": "{{ q }}", "metrics": ["acc"] }""";

    private const string Generate =
        """{ "task": "t", "version": 1, "description": "d", "kind": "generate", "data": [{ "files": ["t.jsonl"] }], "prompt": "{{ q }}", "metrics": ["exact_match"] }""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(string name, string text)
    {
        var path = _folder.File(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    private static string Named(string name) => Choice.Replace("\"t\"", $"\"{name}\"");

    private static string Group(string name, params string[] tasks) =>
        $$"""{ "task": "{{name}}", "version": 1, "description": "d", "kind": "group", "tasks": ["{{string.Join("\", \"", tasks)}}"] }""";

    /// <summary>Part of a task file, what stands there in its place, and what is said of it.</summary>
    [Theory]
    // Keys and kinds of values.
    [InlineData(Choice, "\"prompt\"", "\"promt\"", "there is no key \"promt\". Did you mean \"prompt\"?")]
    [InlineData(
        Choice,
        "\"choice\"",
        "\"multiple_choice\"",
        "kind is \"multiple_choice\"; it must be one of choice, prefix, generate, rolling, group."
    )]
    [InlineData(Choice, "\"choice\"", "\"chioce\"", "Did you mean \"choice\"?")]
    [InlineData(Choice, "\"choice\"", "0", "kind is 0; it must be a text in quotes")]
    [InlineData(Choice, "\"version\": 1", "\"version\": \"1\"", "version is \"1\", a text; it must be a whole number, without quotes")]
    [InlineData(Choice, "\"version\": 1", "\"version\": 1.5", "version is 1.5; it must be a whole number")]
    [InlineData(Choice, "\"version\": 1, ", "", "\"version\" must be given")]
    [InlineData(Choice, "\"version\": 1, \"description\": \"d\", ", "", "\"version\" and \"description\" must be given, and are not")]
    [InlineData(Choice, "[\"acc\"]", "\"acc\"", "metrics is \"acc\", a text; it must be a list")]
    [InlineData(Choice, "[\"acc\"]", "[1]", "metrics[0] is 1; it must be a text")]
    [InlineData(Choice, "[\"acc\"]", "null", "metrics is null; it must be a list")]
    [InlineData(Choice, "\"files\"", "\"flies\"", "data[0]: there is no key \"flies\". Did you mean \"files\"?")]
    [InlineData(
        Choice,
        "\"prompt\"",
        "\"few_shot\": { \"cuont\": 1 }, \"prompt\"",
        "few_shot: there is no key \"cuont\". Did you mean \"count\"?"
    )]
    [InlineData(Choice, "\"prompt\"", "\"few_shot\": {}, \"prompt\"", "few_shot: \"count\" must be given")]
    [InlineData(Choice, "\"prompt\"", "\"task\": \"u\", \"prompt\"", "no JSON")]
    [InlineData(Choice, "\"prompt\":", "\"prompt\"", "line 1: no JSON")]
    [InlineData(Choice, "\"t\"", "\"a,b\"", "task is \"a,b\"")]
    // Names.
    [InlineData(Choice, "[\"acc\"]", "[\"acc_nrm\"]", "metrics: kind choice has no metric \"acc_nrm\". Did you mean \"acc_norm\"")]
    [InlineData(Choice, "\"choice\"", "\"rolling\"", "kind rolling has no metric \"acc\"")]
    [InlineData(
        Choice,
        "\"choice\", \"data\"",
        "\"prefix\", \"target\": \"x\", \"data\"",
        "",
        "[\"acc\"]",
        "[\"acc_uncond\"]",
        "no metric \"acc_uncond\""
    )]
    [InlineData(Generate, "exact_match", "exact_mtach", "Did you mean \"exact_match\"?")]
    [InlineData(Generate, "exact_match", "pass@1", "pass@1 needs a program")]
    [InlineData(
        Generate,
        "\"prompt\"",
        "\"code\": \"human_eval\", \"prompt\"",
        "no program \"human_eval\" checks answers. Did you mean \"humaneval\"?"
    )]
    [InlineData(
        Generate,
        "\"prompt\"",
        "\"filters\": [{ \"name\": \"f\", \"steps\": [\"frist_line\"] }], \"prompt\"",
        "there is no filter \"frist_line\". Did you mean \"first_line\"?"
    )]
    [InlineData(Generate, "\"prompt\"", "\"filters\": [{ \"name\": \"f\", \"steps\": [\"/(/\"] }], \"prompt\"", "no regular expression")]
    [InlineData(Generate, "\"prompt\"", "\"filters\": [{ \"name\": \"f\" }], \"prompt\"", "filters[0]: \"steps\" must be given")]
    [InlineData(Generate, "\"prompt\"", "\"match\": { \"normalise\": \"sqad\" }, \"prompt\"", "Did you mean \"squad\"?")]
    [InlineData(Generate, "\"prompt\"", "\"match\": { \"ignore\": [\"[\"] }, \"prompt\"", "no regular expression")]
    [InlineData(
        Choice,
        "[\"t.jsonl\"]",
        "[\"t.jsonl\"], \"transforms\": [\"letter\"]",
        "data[0]: there is no transform \"letter\". Did you mean \"letters\"?"
    )]
    // Keys without effect.
    [InlineData(
        Choice,
        "[\"t.jsonl\"]",
        "[\"t.jsonl\"], \"columns\": [\"q\"]",
        "data[0]: \"columns\" names the columns of .csv and .tsv files"
    )]
    [InlineData(Choice, "[\"t.jsonl\"]", "[\"t.jsonl.gz\"], \"rows\": \"data\"", "has no effect on .jsonl")]
    [InlineData(Choice, "\"choice\"", "\"prefix\"", "kind prefix needs target")]
    // Templates.
    [InlineData(Choice, "{{ q }}", "{{ q | shout }}", "prompt: template \"{{ q | shout }}\": there is no filter \"shout\"")]
    [InlineData(Choice, "{{ q }}", "{{ q | upcas }}", "Did you mean \"upcase\"?")]
    [InlineData(Choice, "{{ q }}", "{% if q != '' %}{{ q | shout }}{% endif %}", "there is no filter \"shout\"")]
    [InlineData(Choice, "{{ q }}", "{% include 'x' %}", "include reads another file")]
    public void A_mistake_is_named_with_its_remedy(string file, string from, string to, params string[] more)
    {
        var text = Replaced(file, from, to);
        if (more.Length > 1)
            text = Replaced(text, more[1], more[2]);
        var path = Write("t.json", text);
        var error = Assert.Throws<InvalidDataException>(() => TaskFiles.Load(path));
        Assert.StartsWith($"{path}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(more[^1], error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        foreach (var foreign in (string[])["System.", "Engram.", "JSON property", ".NET"])
            Assert.DoesNotContain(foreign, error.Message, StringComparison.Ordinal);
    }

    private static string Replaced(string text, string from, string to)
    {
        Assert.Contains(from, text, StringComparison.Ordinal);
        return text.Replace(from, to);
    }

    [Fact]
    public void Two_tasks_of_one_name_are_refused_and_one_task_named_twice_is_one()
    {
        var (one, other, builtIn) = (Write("a/t1.json", Named("t")), Write("b/t3.json", Named("t")), Write("a/y.json", Named("piqa")));
        var error = Assert.Throws<ArgumentException>(() => TaskFiles.LoadAll([one, other]));
        Assert.Contains($"Two tasks are called 't': {one} and {other}.", error.Message, StringComparison.Ordinal);
        Assert.Contains(
            $"Two tasks are called 'piqa': {builtIn} and the one that comes with the program.",
            Assert.Throws<ArgumentException>(() => TaskFiles.LoadAll([builtIn, "piqa"])).Message,
            StringComparison.Ordinal
        );
        // Also where a group brings it.
        var group = Write("a/g.json", Group("g", "t1.json"));
        Assert.Throws<ArgumentException>(() => TaskFiles.LoadAll([group, other]));
        Assert.Equal(["g", "t"], TaskFiles.LoadAll([group, one, one, _folder.File("a/../a/t1.json")]).Select(task => task.Task));
        Assert.Equal(["piqa"], TaskFiles.LoadAll(["piqa", "piqa"]).Select(task => task.Task));
        Assert.Equal(["mgsm", "mgsm_en"], TaskFiles.LoadAll(["mgsm", "mgsm_en"]).Select(task => task.Task));
    }

    [Fact]
    public void Tasks_of_a_group_lie_beside_its_file()
    {
        Write("mine/t1.json", Named("one"));
        Write("mine/deep/t2.json", Named("two"));
        var group = TaskFiles.Load(Write("mine/grp.json", Group("grp", "t1.json", "deep/t2.json", "piqa")));
        Assert.Equal(["one", "two", "piqa"], TaskRunner.Leaves(group).Select(task => task.Task));
        // A path from the working folder serves as before, and what is nowhere is named with the group's file.
        var whole = Write("mine/whole.json", Group("whole", _folder.File("mine/t1.json")));
        Assert.Equal(["one"], TaskRunner.Leaves(TaskFiles.Load(whole)).Select(task => task.Task));
        var absent = Write("mine/absent.json", Group("absent", "t9.json"));
        var error = Assert.Throws<InvalidDataException>(() => TaskFiles.LoadAll([absent]));
        Assert.StartsWith($"{absent}: tasks: there is no task 't9.json', and no file ", error.Message, StringComparison.Ordinal);
        // A mistake in a member is found before anything runs.
        Write("mine/t1.json", Named("one").Replace("acc", "acx"));
        Assert.Contains(
            "no metric \"acx\"",
            Assert.Throws<InvalidDataException>(() => TaskFiles.LoadAll([_folder.File("mine/grp.json")])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Names_may_be_patterns_and_an_unknown_one_gets_the_nearest()
    {
        Assert.Equal(["mmlu", "mmlu_pro", "mmlu_redux"], TaskFiles.LoadAll(["mmlu*"]).Select(task => task.Task));
        Assert.Equal(["arc_easy", "piqa"], TaskFiles.LoadAll(["arc_eas?", "piq?", "piqa"]).Select(task => task.Task));
        Assert.Equal(TaskFiles.Names, TaskFiles.LoadAll(["*"]).Select(task => task.Task));
        Write("m/b.json", Named("b"));
        Write("m/a.json", Named("a"));
        Assert.Equal(["a", "b"], TaskFiles.LoadAll([_folder.File("m/*.json")]).Select(task => task.Task));
        foreach (
            var (name, said) in new[]
            {
                ("mmul", "There is no task 'mmul'. Did you mean \"mmlu\"?"),
                ("hellaswg", "Did you mean \"hellaswag\"?"),
                ("arc", "Did you mean \"arc_easy\" or \"arc_challenge\"?"),
                ("qqqq*", "No task matches 'qqqq*'."),
            }
        )
            Assert.Contains(said, Assert.Throws<ArgumentException>(() => TaskFiles.LoadAll([name])).Message, StringComparison.Ordinal);
        Assert.Contains(
            "JSON (.json), not YAML",
            Assert.Throws<InvalidDataException>(() => TaskFiles.Load(Write("t.yaml", "task: t"))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<FileNotFoundException>(() => TaskFiles.Load(_folder.File("absent.json")));
    }

    [Fact]
    public void A_listing_says_what_a_task_is_and_of_a_group_how_many_parts_are_there()
    {
        Write("a.jsonl", """{"q": "x", "choices": ["a", "b"], "gold": 0}""");
        Write(
            "a.json",
            Named("a")
                .Replace("t.jsonl\"]", "a.jsonl\"], \"stand_in\": true")
                .Replace("\"metrics\"", "\"few_shot\": { \"count\": 3 }, \"metrics\"")
        );
        Write("b.json", Named("b"));
        var group = Write("g.json", Group("g", "a.json", "b.json"));
        var list = TaskListing.Of(TaskFiles.LoadAll([group, _folder.File("a.json")]), Path.GetDirectoryName(group));
        Assert.Equal(["g", "a"], list.Select(one => one.Task));
        Assert.Equal(
            (false, 2, 1, true, 3, "acc", "b: t.jsonl"),
            (list[0].Found, list[0].Parts, list[0].PartsFound, list[0].StandIn, list[0].Shots, list[0].Metric, list[0].Missing)
        );
        Assert.Equal(
            (true, "a.jsonl", 1, true, 3, TaskKind.Choice, "d", null),
            (list[1].Found, list[1].Path, list[1].Rows, list[1].StandIn, list[1].Shots, list[1].Kind, list[1].Description, list[1].Parts)
        );
        Assert.Equal(1, Assert.Single(TaskListing.Of([TaskFiles.Load("drop")], null)).Shots);
    }

    [Fact]
    public void Every_metric_that_is_named_is_one_that_is_measured()
    {
        Assert.All(
            TaskMetrics.Names(TaskKind.Choice).Except([ChoiceAccuracy.Greedy]),
            metric => Assert.NotNull(ChoiceAccuracy.RuleOf(metric))
        );
        var names = TaskMetrics.Names(TaskKind.Generate);
        var task = TaskFiles.Load(Write("g.json", Generate.Replace("\"exact_match\"", $"\"{string.Join("\", \"", names)}\"")));
        var row = new DatasetRow("g", "g:1", new JsonObject { ["q"] = "x", ["answers"] = "Rome" });
        var item = new TaskQuestions(task, 0, []).Item(0, row, row);
        var (right, wrong) = (
            new GeneratedAnswers(task, null).Score(item, "Rome", TestContext.Current.CancellationToken).Values,
            new GeneratedAnswers(task, null).Score(item, "Oslo", TestContext.Current.CancellationToken).Values
        );
        Assert.Equal(names.Order(), right.Keys.Order());
        Assert.All(right.Values, value => Assert.Equal(1, value));
        Assert.All(wrong.Values, value => Assert.Equal(0, value));
    }
}
