using Engram.Evaluation.Datasets;
using Engram.Evaluation.Harness;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>
/// The templates of a task over its first row, and of its first worked example: what stands at the seams, where a wrong space would change
/// every score.
/// </summary>
public class BenchmarkPromptTests
{
    /// <param name="name">The task.</param>
    /// <param name="parts">What its prompt holds, one behind the other with "|" between; the last ends it unless "…" follows.</param>
    /// <param name="target">What the answer of its first worked example holds.</param>
    [Theory]
    [InlineData("mmlu", "about abstract algebra.\n\n|Find the degree|. 6\nAnswer:", "")]
    [InlineData("mmlu_redux", "about abstract algebra.\n\n|\nAnswer:", "")]
    [InlineData("mmlu_pro", "about business.\n\n|\nI. Unsafe practices, Distress, Fear, Serious\nAnswer:", "")]
    [InlineData("cmmlu", "以下是关于农学的单项选择题|题目：|\nD. 资金\n答案是：", "")]
    [InlineData("ceval", "以下是中国关于计算机网络考试|使用位填充方法|\nD. 4\n答案：", "")]
    [InlineData("agieval_choice", "Q: |Options: (A)|, the answer is", "")]
    [InlineData("agieval_cloze", "问题：|\n答案：", "")]
    [InlineData("arc_challenge", "Question: |\nAnswer:", "")]
    [InlineData(
        "triviaqa",
        "Answer the following questions.\n\n|Q: Which Lloyd Webber musical premiered in the US on 10th December 1993?\nA:",
        "Sunset Boulevard"
    )]
    [InlineData("popqa", "Q: What genre is The Other? A:", "short story")]
    [InlineData("ccpm", "昏暗的灯熄灭了又被重新点亮。\n这句释义对应的古诗是：", "")]
    [InlineData("bbh", "Q: not ( True ) and ( True ) is\nA: Let's think step by step.", "Let's think step by step.\nRemember that")]
    [InlineData("hellaswag", "Finance and Business: How to apply…", "")]
    [InlineData("piqa", "…", "")]
    [InlineData("winogrande", "Sarah was a much better surgeon than Maria so…", "always got the easier cases.")]
    [InlineData("drop", "Passage: |\nA: The answer is a span, namely:", "")]
    [InlineData("race_middle", "Article: |\n\nQ: The first two paragraphs tell us that in Scotland ______.\nA:", "")]
    [InlineData("c3", "男：听说你们公司要派你去南方工作?\n女：|\n问题：他们在谈论什么?\n答案：", "")]
    [InlineData("humaneval", "from typing import List|\"\"\"\n", "")]
    [InlineData("mbpp", "remove_Occ(\"hello\",\"l\") == \"heo\"\n|\n[BEGIN]\n", "similar_elements")]
    [InlineData("cruxeval_i", "\nassert f(??) == [(4, 1), (4, 1), (4, 1), (4, 1), (2, 3), (2, 3)]\n[/PYTHON]\n[ANSWER]\n", "")]
    [InlineData("cruxeval_o", "\nassert f([1, 1, 3, 1, 3, 1]) == ??\n[/PYTHON]\n[ANSWER]\n", "")]
    [InlineData(
        "gsm8k",
        "Q: Janet|\nA: Let's think step by step.",
        "Natalia sold 48/2 = 24 clips in May.\nNatalia sold 48+24 = 72 clips altogether in April and May. The answer is 72."
    )]
    [InlineData("mgsm_ja", "問題：|\nステップごとの答え：", "ロジャーは最初5個のボールがありました。")]
    [InlineData("mgsm_en", "Question: Janet|\nStep-by-Step Answer:", "Roger started with 5 balls.")]
    [InlineData("math", "Problem:\n|\n\nSolution:", "Final Answer: The final answer is $2$. I hope it is correct.")]
    public void Prompts_read_as_they_should(string name, string parts, string target)
    {
        var task = TaskFiles.Load(name);
        var row = Rows(name, task.Data)[0];
        (string, string)[] choice = task.Kind == TaskKind.Prefix ? [("choice", row.Texts("choices")[0])] : [];
        var prompt = Render(task.Instruction, row) + Render(task.Prompt, row, choice);
        var at = 0;
        foreach (var part in parts.TrimEnd('…').Split('|'))
        {
            var found = prompt.IndexOf(part, at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"{name}: no \"{part}\" behind character {at} of\n{prompt}");
            at = found + part.Length;
        }
        if (!parts.EndsWith('…'))
            Assert.Equal(prompt.Length, at);
        if (task.FewShot is null || task.Target is null)
            return;
        var shot = Rows(name, task.FewShot.Data.Count > 0 ? task.FewShot.Data : task.Data)[0];
        Assert.Contains(target, Render(task.Target, shot), StringComparison.Ordinal);
        if (task.FewShot.Prompt is { } other)
            Assert.StartsWith(
                "Evaluate the result of a random Boolean expression.\n\nQ: not",
                Render(other, shot),
                StringComparison.Ordinal
            );
    }

    private static IReadOnlyList<DatasetRow> Rows(string task, IReadOnlyList<TaskData> data) =>
        TaskRows.Require(task, data, Benchmarks.Root()).Read(TestContext.Current.CancellationToken);

    private static string Render(string template, DatasetRow row, params (string, string)[] more) =>
        new Template(template, "test", "prompt").Render(row.Values, row.Place, more);
}
