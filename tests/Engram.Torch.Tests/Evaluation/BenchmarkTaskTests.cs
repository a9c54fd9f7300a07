using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Extraction;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Text;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>
/// Every task on the published rows: counts and right answers equal what a text editor and other readers count in the files.
/// </summary>
public class BenchmarkTaskTests
{
    /// <summary>Task, rows, and how often each option is right.</summary>
    [Theory]
    [InlineData("mmlu", 2758, "642 709 706 701")]
    [InlineData("mmlu_pro", 4, "0 1 0 0 0 1 0 0 1 1")]
    [InlineData("cmmlu", 7350, "1866 1833 1815 1836")]
    [InlineData("ceval", 1, "0 0 1")]
    [InlineData("arc_easy", 2376, "596 585 633 561 1")]
    [InlineData("arc_challenge", 1172, "266 311 310 285")]
    [InlineData("hellaswag", 1000, "256 268 240 236")]
    [InlineData("piqa", 1838, "910 928")]
    [InlineData("winogrande", 1267, "628 639")]
    [InlineData("ccpm", 2660, "689 667 644 660")]
    [InlineData("c3", 3816, "954 1028 1056 778")] // dialogues 427 504 555 339, passages 527 524 501 439
    public void Right_options_are_distributed_as_in_the_files(string task, int count, string distribution)
    {
        DatasetRow[] rows = [.. Rows(task)];
        Assert.Equal(count, rows.Length);
        Assert.Equal(distribution, Distribution(rows));
    }

    [Theory]
    [InlineData("mmlu_redux", 3924)] // of 4,200, the rows whose annotation is "ok" in one of its spellings
    [InlineData("agieval_choice", 1606)]
    [InlineData("agieval_texts", 1606)]
    [InlineData("agieval_cloze", 199)]
    [InlineData("triviaqa", 5)]
    [InlineData("popqa", 19)]
    [InlineData("bbh", 5324)]
    [InlineData("drop", 19)]
    [InlineData("race_middle", 296)]
    [InlineData("race_high", 265)]
    [InlineData("humaneval", 164)]
    [InlineData("mbpp", 500)]
    [InlineData("cruxeval_i", 740)]
    [InlineData("cruxeval_o", 740)]
    [InlineData("gsm8k", 1259)]
    [InlineData("mgsm_bn", 240)]
    [InlineData("mgsm_te", 240)]
    [InlineData("math", 1540)]
    public void Rows_are_counted_as_in_the_files(string task, int count) => Assert.Equal(count, Rows(task).Count());

    [Fact]
    public void Every_row_of_the_table_has_a_task_and_its_scores()
    {
        string[] table =
        [
            "pile",
            "validation",
            "mmlu",
            "mmlu_redux",
            "mmlu_pro",
            "cmmlu",
            "ceval",
            "agieval",
            "arc_easy",
            "arc_challenge",
            "triviaqa",
            "triviaqa_zh",
            "popqa",
            "ccpm",
            "bbh",
            "hellaswag",
            "piqa",
            "winogrande",
            "drop",
            "race_middle",
            "race_high",
            "c3",
            "humaneval",
            "mbpp",
            "cruxeval_i",
            "cruxeval_o",
            "gsm8k",
            "mgsm",
            "math",
        ];
        Assert.Empty(table.Except(TaskFiles.Names));
        Assert.All(table, name => Assert.Equal(4, TaskFiles.Load(name).Published!.Scores.Count));
        foreach (var name in TaskFiles.Names)
        {
            var task = TaskFiles.Load(name);
            Assert.Equal(name, task.Task);
            Assert.All(task.Tasks, part => Assert.Contains(part, TaskFiles.Names));
            Assert.All(
                task.Data.Concat(task.FewShot?.Data ?? []).SelectMany(data => data.Transforms),
                transform => Assert.Contains(transform, DatasetTransform.Names)
            );
            Assert.All(
                task.Filters.SelectMany(filter => filter.Steps).Where(step => !step.StartsWith('/')),
                step => Assert.Contains(step, ExtractionFilter.Names)
            );
        }
    }

    [Theory]
    [InlineData("aqua-rat", "35 27 21 26 11")]
    [InlineData("lsat-ar", "18 10 16 16 13")]
    [InlineData("lsat-lr", "11 12 11 15 8")]
    [InlineData("logiqa-zh", "20 19 16 36")]
    [InlineData("gaokao-history", "36 42 39 35")]
    [InlineData("sat-en", "4 4 2 3")]
    public void Sets_of_AGIEval_keep_their_answers(string set, string distribution) =>
        Assert.Equal(distribution, Distribution([.. Rows("agieval_choice").Where(row => row.Text("_file") == set)]));

    [Fact]
    public void Several_right_letters_are_read_from_texts_and_lists()
    {
        var rows = Rows("agieval_choice").ToLookup(row => row.Text("_file"), row => row.Text("letters"));
        Assert.Equal(
            "AD,ACD",
            string.Join(',', rows["gaokao-mathqa"].Where(letters => letters.Length > 1).Order(StringComparer.Ordinal).Reverse())
        );
        Assert.Equal(16, rows["gaokao-physics"].Count(letters => letters.Length > 1));
        Assert.Equal(("ABCD", 95), (rows["jec-qa-ca"].First(), rows["jec-qa-ca"].Count()));
        Assert.Contains("ACD", rows["jec-qa-ca"]); // the label with a full stop among its letters
        Assert.Equal("B", rows["jec-qa-kd"].First());
    }

    [Fact]
    public void Parts_of_the_large_sets_are_whole()
    {
        DatasetRow[] redux = [.. Rows("mmlu_redux")];
        Assert.Equal(42, redux.Select(row => row.Text("subject")).Distinct().Count());
        Assert.Equal(
            (99, 43),
            (redux.Count(row => row.Text("subject") == "anatomy"), redux.Count(row => row.Text("subject") == "virology"))
        );
        Assert.Equal("Narcolepsy", redux.First(row => row.Text("subject") == "anatomy").Texts("choices")[3]);
        DatasetRow[] mmlu = [.. Rows("mmlu")];
        Assert.Equal(["1", "2", "3", "1", "1"], mmlu.Take(5).Select(row => row.Text("gold")));
        Assert.Equal("22 26 31 21", Distribution([.. mmlu.Where(row => row.Text("subject") == "abstract algebra")]));
        DatasetRow[] shots = [.. Shots("mmlu")];
        Assert.Equal((285, 57), (shots.Length, shots.Select(row => row.Text("subject")).Distinct().Count()));
        Assert.Equal(
            ["1", "1", "2", "0", "0"],
            shots.Where(row => row.Text("subject") == "abstract algebra").Select(row => row.Text("gold"))
        );
        Assert.Equal(335, Shots("cmmlu").Count());
        Assert.Equal("41 43 42 43", Distribution([.. Rows("cmmlu").Where(row => row.Text("subject") == "agronomy")]));
        var race = Rows("race_middle").Concat(Rows("race_high")).ToArray();
        Assert.Equal("124 149 160 128", Distribution(race));
        Assert.Equal(
            (167, 167),
            (race.Count(row => row.List("previous").Count == 0), race.Count(row => row.Value("last").GetValue<bool>()))
        );
        var bbh = Rows("bbh").GroupBy(row => row.Text("subtask")).ToDictionary(part => part.Key, part => part.ToArray());
        Assert.Equal((22, 146, 178), (bbh.Count, bbh["penguins_in_a_table"].Length, bbh["snarks"].Length));
        Assert.Equal("] ]", bbh["dyck_languages"][0].Text("target"));
        var examples = Shots("bbh").ToLookup(row => row.Text("subtask"));
        Assert.Equal(27, examples.Count);
        Assert.All(bbh.Keys, part => Assert.Equal(3, examples[part].Count()));
        Assert.All(Shots("bbh"), row => Assert.DoesNotContain("canary", row.Text("lead"), StringComparison.OrdinalIgnoreCase));
        Assert.Equal(
            "129 269 339 373 430",
            string.Join(
                ' ',
                Rows("math")
                    .CountBy(row => row.Text("level"))
                    .OrderBy(level => level.Key, StringComparer.Ordinal)
                    .Select(level => level.Value)
            )
        );
    }

    [Fact]
    public void Originals_and_other_layouts_of_the_same_rows_agree()
    {
        var cleaned = Rows("hellaswag").Single(row => row.Text("ind") == "114");
        var original = Read("hellaswag/hellaswag_val.head10.jsonl", "hellaswag").Single(row => row.Text("ind") == "114");
        Assert.Equal((cleaned.Text("query"), cleaned.Text("gold")), (original.Text("query"), original.Text("gold")));
        Assert.Equal(cleaned.Texts("choices"), original.Texts("choices"));
        DatasetRow[] arc = [.. Read("arc/rows/ARC-Challenge-validation.jsonl", "arc")];
        Assert.Equal((299, "3"), (arc.Length, arc[0].Text("gold")));
        Assert.Equal("64 73 78 83 1", Distribution(arc)); // letters A62 B72 C78 D82 E1, and "1" twice, "2" and "4" once each
        var questions = Rows("mmlu")
            .Where(row => row.Text("subject") == "global facts")
            .Select(row => (row.Text("question"), row.Text("gold")));
        var csv = Read(
            "mmlu/derived_csv/test/global_facts_test.csv",
            "letters",
            new DatasetFormat { Columns = ["question", "A", "B", "C", "D", "answer"] }
        );
        Assert.Equal(questions, csv.Select(row => (row.Text("question"), row.Text("gold"))));
        var middle = Assert.Single(Read("race/race_middle_hf.head1.jsonl", "race"));
        Assert.Equal("Canada.", middle.Texts("choices")[(int)middle.Value("gold")]);
        var hub = Assert.Single(Read("triviaqa/hf_row.jsonl", "triviaqa"));
        Assert.Equal(Rows("triviaqa").First().Texts("answers"), hub.Texts("answers"));
        var popqa = Assert.Single(Read("popqa/popQA.head1.tsv", "popqa"));
        Assert.Equal((5, "politician"), (popqa.Texts("answers").Count, popqa.Texts("answers")[0]));
    }

    [Fact]
    public void Right_answers_score_and_their_normalisations_agree_with_the_publishers()
    {
        foreach (var row in Rows("triviaqa"))
            Assert.Equal(
                row.Object("Answer")["NormalizedAliases"]!.AsArray().Select(alias => (string)alias!).Order(StringComparer.Ordinal),
                row.Object("Answer")["Aliases"]!
                    .AsArray()
                    .Select(alias => AnswerText.Trivia((string)alias!))
                    .Distinct()
                    .Order(StringComparer.Ordinal)
            );
        DatasetRow[] drop = [.. Rows("drop")];
        Assert.Equal((13, 6), (drop.Count(row => row.Text("kind") == "number"), drop.Count(row => row.Text("kind") == "span")));
        foreach (var row in drop)
            Assert.Equal(
                (1, 1),
                DropScore.Score(
                    [.. row.List("answers")[0]!.AsArray().Select(span => (string)span!)],
                    [.. row.List("answers").Select(Spans)]
                )
            );
        var gsm8k = Rows("gsm8k").Select(row => row.Text("number")).ToArray();
        Assert.Equal(["18", "3", "70000", "540", "20"], gsm8k.Take(5));
        Assert.Equal(71_570, gsm8k.Take(10).Sum(long.Parse));
        Assert.Equal((2, "2125", "114200"), (gsm8k.Count(number => number.StartsWith('-')), gsm8k[146], gsm8k[201]));
        foreach (var language in (string[])["bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"])
        {
            Assert.Equal(gsm8k.Take(240), Rows($"mgsm_{language}").Select(row => row.Text("number")));
            var numbers = Shots($"mgsm_{language}").Select(row => NumberAnswers.Clean(NumberAnswers.InAnyLanguage(row.Text("rationale"))));
            Assert.Equal(["11", "29", "39", "9", "33", "8", "8", "5"], numbers);
            // The harness's expression leaves out wordings of the authors' own examples: "Die Antwort ist", a unit behind the number.
            var strict = new Regex(TaskFiles.Load($"mgsm_{language}").Filters[0].Steps[0].Trim('/'), RegexOptions.CultureInvariant);
            Assert.Equal(
                language switch
                {
                    "de" => 7,
                    "ja" => 5,
                    _ => 8,
                },
                Shots($"mgsm_{language}").Count(row => strict.IsMatch(row.Text("rationale")))
            );
        }
        Assert.Equal(
            ["2", "10", "\\frac{9}{7}", "i", "4"],
            Rows("math").Take(5).Select(row => MathText.Hendrycks(MathText.LastBoxed(row.Text("solution"))!))
        );
        Assert.All(
            Rows("math"),
            row => Assert.True(MathText.AreEqual(MathText.LastBoxed(row.Text("solution"))!, row.Text("answer")), row.Place)
        );
        DatasetRow[] popqa = [.. Rows("popqa")];
        Assert.Equal(56, popqa.Sum(row => row.Texts("answers").Count));
        Assert.All(popqa, row => Assert.Equal(1, Contains.Score($"It is {row.Text("obj")}.", row.Texts("answers"))));
        Assert.Equal(["2", "3", "4"], Shots("mbpp").Select(row => row.Text("task_id")));
        var outputs = System.IO.File.ReadAllText(Benchmarks.Path("mmlu_pro/eval_results/business_result.json"));
        Assert.Equal(
            ["I", "F", "J"],
            JsonNode.Parse(outputs)!.AsArray().Select(item => PhraseAnswers.MmluPro((string)item!["model_outputs"]!))
        );
    }

    private static string[] Spans(JsonNode? gold) => [.. gold!.AsArray().Select(span => (string)span!)];

    private static string Distribution(DatasetRow[] rows)
    {
        var golds = rows.CountBy(row => row.Value("gold").GetValue<int>()).ToDictionary();
        return string.Join(' ', Enumerable.Range(0, golds.Keys.Max() + 1).Select(gold => golds.GetValueOrDefault(gold)));
    }

    private static IEnumerable<DatasetRow> Rows(string task) => First(TaskFiles.Load(task).Data, task);

    private static IEnumerable<DatasetRow> Shots(string task) => First(TaskFiles.Load(task).FewShot!.Data, task);

    /// <summary>The rows of the first source whose files are all there.</summary>
    private static IEnumerable<DatasetRow> First(IReadOnlyList<TaskData> sources, string task)
    {
        var root = Benchmarks.Root();
        foreach (var source in sources)
        {
            var found = source.Hub is null
                ? source.Files.Select(pattern => DatasetFiles.Find(root, pattern)).ToArray()
                : [DatasetFiles.FindSnapshot(root, source.Hub, source.Configuration, source.Split)];
            if (found.Any(files => files.Count == 0))
                continue;
            var format = new DatasetFormat
            {
                Rows = source.Rows,
                Columns = source.Columns,
                OtherEncoding = source.OtherEncoding,
            };
            var rows = found
                .SelectMany(files => files)
                .SelectMany(path => DatasetReader.Read(path, System.IO.Path.GetRelativePath(root, path), format));
            return source.Transforms.Aggregate(rows, (current, name) => DatasetTransform.Find(name)(current));
        }
        Assert.Fail($"No source of {task} is there.");
        return [];
    }

    private static IEnumerable<DatasetRow> Read(string file, string transform, DatasetFormat? format = null) =>
        DatasetTransform.Find(transform)(DatasetReader.Read(Benchmarks.Path(file), file, format));
}
