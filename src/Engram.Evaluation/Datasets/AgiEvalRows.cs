using System.Text.Json.Nodes;

namespace Engram.Evaluation.Datasets;

/// <summary>AGIEval in its authors' layout (passage, question, options, label, answer) and in that of the hub (query, choices, gold).</summary>
internal static class AgiEvalRows
{
    /// <summary>A question with options; "letters" are those of the right ones. A label is a letter, several letters in one text, or a list; what is no letter in it is left out.</summary>
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
        return Finish(row.With(("passage", PassageOf(row))), row.Texts("options").Select(option => option.Trim()), indices);
    }

    /// <summary>A question whose answer is written out in the column "answer".</summary>
    public static DatasetRow Cloze(DatasetRow row) => row.With(("passage", PassageOf(row)), ("answer", row.Text("answer")));

    private static DatasetRow Finish(DatasetRow row, IEnumerable<string> options, int[] golds) =>
        DatasetTransform.WithChoices(row, options, golds).With(("letters", string.Concat(golds.Select(gold => (char)('A' + gold)))));

    private static string PassageOf(DatasetRow row) => row.Values["passage"] is { } passage ? row.TextOf(passage, "passage").Trim() : "";
}
