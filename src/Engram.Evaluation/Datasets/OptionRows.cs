using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Datasets;

/// <summary>Multiple choice without a passage.</summary>
internal static partial class OptionRows
{
    /// <summary>
    /// Columns question, A, B, C, D and a letter (MMLU's CSV, C-Eval, CMMLU, whose names begin with capitals), with the subject: a column,
    /// or the file's name or folder. As in lm-evaluation-harness white space around a question is removed, around options it stays.
    /// </summary>
    public static DatasetRow Letters(DatasetRow row)
    {
        var gold = LetterOf(row, row.Text("answer", "Answer"));
        return DatasetTransform.WithChoices(
            row.With(("question", row.Text("question", "Question").Trim()), ("subject", SubjectOf(row))),
            ((string[])["A", "B", "C", "D"]).Select(letter => row.Text(letter)),
            gold
        );
    }

    /// <summary>Columns question, choices and an index (MMLU on the hub), with white space as in <see cref="Letters"/>.</summary>
    public static DatasetRow Choices(DatasetRow row) =>
        DatasetTransform.WithChoices(
            row.With(("question", row.Text("question").Trim()), ("subject", SubjectOf(row))),
            row.Texts("choices"),
            Number(row, "answer")
        );

    /// <summary>
    /// MMLU-Redux: options as a Python list in a text or as a list; only rows whose annotation, in any spelling, is "ok".
    /// </summary>
    public static IEnumerable<DatasetRow> MmluRedux(IEnumerable<DatasetRow> rows)
    {
        foreach (var row in rows)
        {
            if (!row.Text("error_type").Trim().Equals("ok", StringComparison.OrdinalIgnoreCase))
                continue;
            var choices =
                row.Value("choices") is JsonArray
                    ? row.Texts("choices")
                    : PythonLiteral.Strings(row.Text("choices"))
                        ?? throw new InvalidDataException($"{row.Place}: column \"choices\" holds no list. Mend or delete the row.");
            yield return DatasetTransform.WithChoices(
                row.With(("question", row.Text("question").Trim()), ("subject", SubjectOf(row))),
                choices,
                Number(row, "answer")
            );
        }
    }

    /// <summary>MMLU-Pro: up to ten options, the right one by index.</summary>
    public static DatasetRow MmluPro(DatasetRow row) =>
        DatasetTransform.WithChoices(
            row.With(("question", row.Text("question"))),
            row.Texts("options").Where(option => option != "N/A"),
            Number(row, "answer_index")
        );

    /// <summary>
    /// ARC: options and their labels, letters or digits, the right one by label; or OLMES's layout, whose question stands between
    /// "Question: " and "Answer:".
    /// </summary>
    public static DatasetRow Arc(DatasetRow row)
    {
        if (row.Values["query"] is not null)
        {
            var query = row.Text("query");
            if (!query.StartsWith("Question: ", StringComparison.Ordinal) || !query.EndsWith("\nAnswer:", StringComparison.Ordinal))
                throw new InvalidDataException($"{row.Place}: column \"query\" is not \"Question: …\", \"Answer:\". {row.Remedy}");
            return DatasetTransform.WithChoices(
                row.With(("question", query["Question: ".Length..^"\nAnswer:".Length])),
                row.Texts("choices"),
                Number(row, "gold")
            );
        }
        var choices = row with { Values = row.Object("choices") };
        var gold = choices.Texts("label").ToList().IndexOf(row.Text("answerKey"));
        return gold < 0
            ? throw new InvalidDataException($"{row.Place}: no option is labelled \"{row.Text("answerKey")}\". Mend or delete the row.")
            : DatasetTransform.WithChoices(row, choices.Texts("text"), gold);
    }

    /// <summary>
    /// HellaSwag: "activity: context" with a capital behind the context's first part, both cleaned as lm-evaluation-harness does; or
    /// OLMES's layout, which is cleaned already.
    /// </summary>
    public static DatasetRow HellaSwag(DatasetRow row)
    {
        if (row.Values["query"] is not null)
            return DatasetTransform.WithChoices(row, row.Texts("choices"), Number(row, "gold"));
        var context = $"{row.Text("ctx_a")} {AnswerText.Capitalize(row.Text("ctx_b"))}";
        return DatasetTransform.WithChoices(
            row.With(("query", Clean($"{row.Text("activity_label")}: {context}"))),
            row.Texts("endings").Select(Clean),
            Number(row, "label")
        );
    }

    /// <summary>PIQA: two solutions.</summary>
    public static DatasetRow Piqa(DatasetRow row) =>
        DatasetTransform.WithChoices(row, [row.Text("sol1"), row.Text("sol2")], Number(row, "label"));

    /// <summary>
    /// WinoGrande: the columns "choices" (the sentence up to the blank with each name put in) and "completion" (the rest, without space
    /// around it).
    /// </summary>
    public static DatasetRow WinoGrande(DatasetRow row)
    {
        var sentence = row.Text("sentence");
        var blank = sentence.IndexOf('_');
        if (blank < 0 || sentence.IndexOf('_', blank + 1) >= 0)
            throw new InvalidDataException($"{row.Place}: the sentence has not exactly one \"_\". Mend or delete the row.");
        return DatasetTransform.WithChoices(
            row.With(("completion", sentence[(blank + 1)..].Trim())),
            [sentence[..blank] + row.Text("option1"), sentence[..blank] + row.Text("option2")],
            Number(row, "answer") - 1
        );
    }

    /// <summary>
    /// CCPM: four lines, the right one by index. Rows without an answer are those of the test whose answers are not public.
    /// </summary>
    public static DatasetRow Ccpm(DatasetRow row) => DatasetTransform.WithChoices(row, row.Texts("choices"), Number(row, "answer"));

    /// <summary>A whole number, also one written as text.</summary>
    internal static int Number(DatasetRow row, string column) =>
        int.TryParse(row.Text(column).Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new InvalidDataException(
                $"{row.Place}: column \"{column}\" holds \"{row.Text(column)}\", not a whole number. Mend or delete the row."
            );

    private static int LetterOf(DatasetRow row, string letter) =>
        letter.Trim() is [var one] && DatasetTransform.IndexOf(one) is var index and >= 0
            ? index
            : throw new InvalidDataException($"{row.Place}: the answer \"{letter}\" is no letter. Mend or delete the row.");

    /// <summary>
    /// The name of the file, or of its folder where the file is called after a split ("high_school_biology/test-00000-of-00001.parquet").
    /// </summary>
    internal static string PartOf(DatasetRow row)
    {
        var name = DatasetReader.StemOf(row.File);
        return SplitName().IsMatch(name) ? Path.GetFileName(Path.GetDirectoryName(row.File)) ?? name : name;
    }

    /// <summary>The subject with spaces: "high_school_biology_test.csv" is "high school biology".</summary>
    private static string SubjectOf(DatasetRow row) =>
        Affixes().Replace(row.Values["subject"] is { } known ? row.TextOf(known, "subject") : PartOf(row), "").Replace('_', ' ');

    private static string Clean(string text)
    {
        text = text.Trim().Replace(" [title]", ". ", StringComparison.Ordinal);
        return Bracketed().Replace(text, "").Replace("  ", " ", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^(test|dev|val|validation|train)(-.*)?$", RegexOptions.CultureInvariant)]
    private static partial Regex SplitName();

    [GeneratedRegex(@"^mmlu_|_(test|dev|val)$", RegexOptions.CultureInvariant)]
    private static partial Regex Affixes();

    [GeneratedRegex(@"\[.*?\]", RegexOptions.CultureInvariant)]
    private static partial Regex Bracketed();
}
