using Engram.Evaluation.Datasets;
using Engram.Evaluation.Harness;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>
/// Every task whose data are on the Hugging Face hub reads the columns that the hub has, from a snapshot under the hub's names of data set,
/// configuration and split. The rows are made up; names of columns and their types are the hub's.
/// </summary>
public sealed class HubLayoutTests : IDisposable
{
    private const string Letters =
        """{"id": 0, "question": "q", "A": "a", "B": "b", "C": "c", "D": "d", "answer": "C", "explanation": ""}""";
    private const string Mmlu = """{"question": " q", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 2}""";
    private const string Arc =
        """{"id": "x", "question": "q", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "3"}""";
    private const string WinoGrande = """{"sentence": "x _ y.", "option1": "a", "option2": "b", "answer": "2"}""";
    private const string Trivia =
        """{"question": "q", "question_id": "tc_1", "answer": {"aliases": ["A", "B"], "normalized_aliases": ["a"], "value": "A"}}""";
    private const string Gsm8k = """{"question": "q", "answer": "1+1=<<1+1=2>>2\n#### 1,234"}""";
    private const string Math = """{"problem": "p", "level": "Level 1", "type": "Algebra", "solution": "so \\boxed{7}"}""";
    private const string Mbpp =
        """{"task_id": 11, "text": "t", "code": "c", "test_list": ["x", "y", "z"], "test_setup_code": "", "challenge_test_list": []}""";
    private const string PopQaColumns =
        "id\tsubj\tprop\tobj\tsubj_id\tprop_id\tobj_id\ts_aliases\to_aliases\ts_uri\to_uri\ts_wiki_title\to_wiki_title\ts_pop\to_pop\tquestion\tpossible_answers\n";
    private const string PopQa = PopQaColumns + "1\ts\toccupation\to\t1\t2\t3\t[]\t[]\tu\tu\tt\tt\t1\t2\tq\t\"[\"\"o\"\", \"\"p\"\"]\"";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("mmlu", "c", "cais/mmlu/all/test.jsonl", Mmlu, "cais/mmlu/all/dev.jsonl", Mmlu)]
    [InlineData("mmlu", "c", "cais/mmlu/anatomy/test.jsonl", Mmlu, "cais/mmlu/anatomy/dev.jsonl", Mmlu)]
    [InlineData(
        "mmlu_redux",
        "b",
        "edinburgh-dawg/mmlu-redux-2.0/anatomy/test.jsonl",
        """{"question": "q", "choices": ["a", "b", "c", "d"], "answer": 1, "error_type": "ok", "source": null, "correct_answer": null, "potential_reason": null}""",
        "cais/mmlu/all/dev.jsonl",
        Mmlu
    )]
    [InlineData(
        "mmlu_redux",
        "b",
        "fxmarty/mmlu-redux-2.0-ok/anatomy/test.jsonl",
        """{"question": "q", "choices": ["a", "b", "c", "d"], "answer": 1}""",
        "cais/mmlu/all/dev.jsonl",
        Mmlu
    )]
    [InlineData(
        "mmlu_pro",
        "b",
        "TIGER-Lab/MMLU-Pro/test.jsonl",
        """{"question_id": 1, "question": "q", "options": ["a", "b", "N/A"], "answer": "B", "answer_index": 1, "cot_content": "", "category": "law", "src": "s"}""",
        "TIGER-Lab/MMLU-Pro/validation.jsonl",
        """{"question_id": 2, "question": "q", "options": ["a", "b"], "answer": "B", "answer_index": 1, "cot_content": "A: Let's think step by step. The answer is (B).", "category": "law", "src": "s"}"""
    )]
    [InlineData(
        "cmmlu",
        "d",
        "haonan-li/cmmlu/agronomy/test.jsonl",
        """{"Question": "q", "A": "a", "B": "b", "C": "c", "D": "d", "Answer": "D"}""",
        "haonan-li/cmmlu/agronomy/dev.jsonl",
        """{"Question": "q", "A": "a", "B": "b", "C": "c", "D": "d", "Answer": "D"}"""
    )]
    [InlineData(
        "ceval",
        "c",
        "ceval/ceval-exam/computer_network/val.jsonl",
        Letters,
        "ceval/ceval-exam/computer_network/dev.jsonl",
        Letters
    )]
    [InlineData("arc_challenge", "c", "allenai/ai2_arc/ARC-Challenge/test.jsonl", Arc, "allenai/ai2_arc/ARC-Challenge/train.jsonl", Arc)]
    [InlineData("arc_easy", "c", "allenai/ai2_arc/ARC-Easy/test.jsonl", Arc, "allenai/ai2_arc/ARC-Easy/train.jsonl", Arc)]
    [InlineData(
        "hellaswag",
        "d.",
        "Rowan/hellaswag/validation.jsonl",
        """{"ind": 1, "activity_label": "l", "ctx_a": "A man", "ctx_b": "he", "ctx": "A man he", "endings": ["a.", "b.", "c.", "d."], "source_id": "s", "split": "val", "split_type": "zeroshot", "label": "3"}"""
    )]
    [InlineData("piqa", "b", "baber/piqa/validation.jsonl", """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}""")]
    [InlineData(
        "winogrande",
        "x b",
        "allenai/winogrande/winogrande_xl/validation.jsonl",
        WinoGrande,
        "allenai/winogrande/winogrande_xl/train.jsonl",
        WinoGrande
    )]
    [InlineData(
        "race_high",
        "b",
        "EleutherAI/race/high/test.jsonl",
        """{"article": "a", "problems": "[{'question': 'q', 'answer': 'B', 'options': ['a', 'b']}]"}"""
    )]
    [InlineData(
        "race_middle",
        "b",
        "ehovy/race/middle/test.jsonl",
        """{"example_id": "m", "article": "a", "answer": "B", "question": "q", "options": ["a", "b"]}"""
    )]
    [InlineData(
        "c3",
        "b",
        "clue/clue/c3/validation.jsonl",
        """{"id": 0, "context": ["x", "y"], "question": "q", "choice": ["a", "b"], "answer": "b"}"""
    )]
    public void Options_and_the_right_one(string task, string right, string path, string row, string? shotPath = null, string? shot = null)
    {
        var read = Only(task, path, row, shotPath, shot);
        Assert.Equal(right, read.Texts("choices")[read.Value("gold").GetValue<int>()]);
    }

    [Theory]
    [InlineData(
        "triviaqa",
        "answer",
        "A",
        "mandarjoshi/trivia_qa/rc.nocontext/validation.jsonl",
        Trivia,
        "mandarjoshi/trivia_qa/rc.nocontext/train.jsonl",
        Trivia
    )]
    [InlineData("popqa", "answers", """["o","p"]""", "akariasai/PopQA/test.tsv", PopQa)]
    [InlineData(
        "drop",
        "answers",
        """[["5"],["6"]]""",
        "EleutherAI/drop/validation.jsonl",
        """{"section_id": "s", "query_id": "q", "passage": "p", "question": "q", "answer": {"number": "5", "date": {"day": "", "month": "", "year": ""}, "spans": []}, "validated_answers": {"number": ["5", "6"], "date": [{"day": "", "month": "", "year": ""}, {"day": "", "month": "", "year": ""}], "spans": [[], []]}}"""
    )]
    [InlineData(
        "bbh",
        "target",
        "(B)",
        "SaylorTwift/bbh/navigate/test.jsonl",
        """{"input": "i", "target": "(B)"}""",
        "bbh/cot-prompts/navigate.txt",
        "canary\n-----\nDo it.\n\nQ: i\nA: So the answer is Yes.\n\nQ: i\nA: So the answer is No.\n\nQ: i\nA: So the answer is No."
    )]
    [InlineData("gsm8k", "number", "1234", "openai/gsm8k/main/test.jsonl", Gsm8k, "openai/gsm8k/main/train.jsonl", Gsm8k)]
    [InlineData(
        "mgsm_en",
        "number",
        "18",
        "juletxara/mgsm/en/test.jsonl",
        """{"question": "q", "answer": null, "answer_number": 18, "equation_solution": null}""",
        "juletxara/mgsm/en/train.jsonl",
        """{"question": "Question: q", "answer": "Step-by-Step Answer: 1 + 1 = 2. The answer is 2.", "answer_number": 2, "equation_solution": "1 + 1 = 2."}"""
    )]
    [InlineData(
        "math",
        "answer",
        "7",
        "EleutherAI/hendrycks_math/algebra/test.jsonl",
        Math,
        "EleutherAI/hendrycks_math/algebra/train.jsonl",
        Math
    )]
    [InlineData(
        "humaneval",
        "entry_point",
        "f",
        "openai/openai_humaneval/openai_humaneval/test.jsonl",
        """{"task_id": "HumanEval/0", "prompt": "def f():", "canonical_solution": "", "test": "def check(c): pass", "entry_point": "f"}"""
    )]
    [InlineData(
        "mbpp",
        "task_id",
        "11",
        "google-research-datasets/mbpp/full/test.jsonl",
        Mbpp,
        "google-research-datasets/mbpp/full/prompt.jsonl",
        """{"task_id": 2, "text": "t", "code": "c", "test_list": ["x", "y", "z"], "test_setup_code": "", "challenge_test_list": []}"""
    )]
    [InlineData(
        "cruxeval_o",
        "output",
        "2",
        "cruxeval-org/cruxeval/test.jsonl",
        """{"code": "def f(x): return x", "input": "2", "output": "2", "id": "sample_0"}"""
    )]
    public void Answers(string task, string column, string expected, string path, string row, string? shotPath = null, string? shot = null)
    {
        var value = Only(task, path, row, shotPath, shot).Value(column);
        Assert.Equal(
            expected,
            value.GetValueKind() == System.Text.Json.JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString()
        );
    }

    private DatasetRow Only(string task, string path, string row, string? shotPath, string? shot)
    {
        Write(path, row);
        if (shotPath is not null)
            Write(shotPath, shot!);
        var root = _folder.File("");
        var listed = TaskListing.Of([TaskFiles.Load(task)], root, TestContext.Current.CancellationToken).Single();
        Assert.Equal((null, true, 1), (listed.Missing, listed.Found, listed.Rows));
        return TaskRows.Find(TaskFiles.Load(task).Data, root)!.Read(TestContext.Current.CancellationToken).Single();
    }

    private void Write(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(path))!);
        File.WriteAllText(_folder.File(path), content + "\n");
    }
}
