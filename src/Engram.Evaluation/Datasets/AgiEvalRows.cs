using System.Text.Json.Nodes;

namespace Engram.Evaluation.Datasets;

/// <summary>
/// AGIEval in its authors' layout (passage, question, options, label, answer) and in that of the hub (query, choices, gold).
/// </summary>
internal static class AgiEvalRows
{
    private static readonly string[] ChineseSets =
    [
        "gaokao-biology",
        "gaokao-chemistry",
        "gaokao-chinese",
        "gaokao-geography",
        "gaokao-history",
        "gaokao-mathcloze",
        "gaokao-mathqa",
        "gaokao-physics",
        "jec-qa-ca",
        "jec-qa-kd",
        "logiqa-zh",
    ];

    /// <summary>
    /// A question with options; "letters" are those of the right ones. A label is a letter, several letters in one text, or a list; what is
    /// no letter in it is left out.
    /// </summary>
    public static DatasetRow Choice(DatasetRow row)
    {
        if (row.Values["query"] is not null)
        {
            int[] golds = [.. row.List("gold").Select(gold => gold!.GetValue<int>())];
            return Finish(row, row.Texts("choices"), golds);
        }
        var label = row.Value("label");
        var letters = label is JsonArray ? string.Concat(row.Texts("label")) : row.Text("label");
        int[] indices = [.. letters.Where(char.IsAsciiLetterUpper).Distinct().Order().Select(DatasetTransform.IndexOf)];
        string[] options = [.. row.Texts("options").Select(option => option.Trim())];
        return Finish(row.With(("query", QueryOf(row, options))), options, indices);
    }

    /// <summary>A question whose answer is written out in the column "answer".</summary>
    public static DatasetRow Cloze(DatasetRow row) =>
        row.With(("query", row.Values["query"] is null ? QueryOf(row, []) : row.Text("query")), ("answer", row.Text("answer")));

    private static DatasetRow Finish(DatasetRow row, IEnumerable<string> options, int[] golds) =>
        DatasetTransform.WithChoices(row, options, golds).With(("letters", string.Concat(golds.Select(gold => (char)('A' + gold)))));

    /// <summary>Passage, question, options and the words before the answer, in the language that the set is asked in.</summary>
    private static string QueryOf(DatasetRow row, string[] options)
    {
        var passage = row.Values["passage"] is { } known ? row.TextOf(known, "passage").Trim() : "";
        var (question, list, last) = (
            row.Text("question").Trim(),
            string.Join(' ', options),
            (char)('A' + Math.Max(0, options.Length - 1))
        );
        var lead = passage.Length > 0 ? $"{passage}\n" : "";
        if (ChineseSets.Contains(DatasetReader.StemOf(row.File)))
            return options.Length == 0
                ? $"{lead}问题：{question}\n答案："
                : $"{lead}问题：{question}\n选项：{list}\n答案：从 A 到 {last} 中选择";
        return options.Length == 0
            ? $"{lead}Q: {question}\nA: The answer is"
            : $"{lead}Q: {question}\nOptions: {list}\nA: Among A to {last}, the answer is";
    }
}
