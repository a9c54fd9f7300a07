using System.Text.Json.Nodes;

namespace Engram.Evaluation.Datasets;

/// <summary>
/// What a template cannot do to rows: lists hidden in text, nested questions, right options by letter or by text. A transformation has a
/// name and turns rows into rows; those of multiple choice give the columns "choices" (a list) and "gold" (an index from 0, or a list of
/// such). docs/task-files.md has a line for each.
/// </summary>
public static class DatasetTransform
{
    private static readonly Dictionary<string, Func<IEnumerable<DatasetRow>, IEnumerable<DatasetRow>>> Named = new(StringComparer.Ordinal)
    {
        ["letters"] = rows => rows.Select(OptionRows.Letters),
        ["ceval_subject"] = rows => rows.Select(row => ChineseSubjects.Name(row, "ceval")),
        ["cmmlu_subject"] = rows => rows.Select(row => ChineseSubjects.Name(row, "cmmlu")),
        ["choices"] = rows => rows.Select(OptionRows.Choices),
        ["mmlu_redux"] = OptionRows.MmluRedux,
        ["mmlu_pro"] = rows => rows.Select(OptionRows.MmluPro),
        ["arc"] = rows => rows.Select(OptionRows.Arc),
        ["hellaswag"] = rows => rows.Select(OptionRows.HellaSwag),
        ["piqa"] = rows => rows.Select(OptionRows.Piqa),
        ["winogrande"] = rows => rows.Select(OptionRows.WinoGrande),
        ["ccpm"] = rows => rows.Select(OptionRows.Ccpm),
        ["agieval"] = rows => rows.Select(AgiEvalRows.Choice),
        ["agieval_cloze"] = rows => rows.Select(AgiEvalRows.Cloze),
        ["race"] = PassageRows.Race,
        ["race_first_series"] = rows => PassageRows.Race(PassageRows.Series(rows, 0)),
        ["race_second_series"] = rows => PassageRows.Race(PassageRows.Series(rows, 1)),
        ["c3"] = PassageRows.C3,
        ["drop"] = PassageRows.Drop,
        ["triviaqa"] = rows => rows.Select(AnswerRows.TriviaQa),
        ["popqa"] = rows => rows.Select(AnswerRows.PopQa),
        ["popqa_shots"] = rows => rows.DistinctBy(row => row.Text("prop")).Select(AnswerRows.PopQa),
        ["gsm8k"] = rows => rows.Select(AnswerRows.Gsm8k),
        ["mgsm"] = rows => rows.Select(AnswerRows.Mgsm),
        ["mgsm_shot"] = rows => rows.Select(AnswerRows.MgsmShot),
        ["math"] = rows => rows.Select(AnswerRows.Math),
        ["bbh"] = rows => rows.Select(AnswerRows.Bbh),
        ["bbh_prompt"] = rows => rows.SelectMany(AnswerRows.BbhPrompt),
        ["mbpp_test"] = rows => rows.Where(row => AnswerRows.MbppIsIn(row, 11, 510)),
        ["mbpp_shots"] = rows => rows.Where(row => AnswerRows.MbppIsIn(row, 2, 4)),
    };

    /// <summary>All names, in order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Named.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The transformation of a name.</summary>
    /// <exception cref="InvalidDataException">There is none of that name.</exception>
    public static Func<IEnumerable<DatasetRow>, IEnumerable<DatasetRow>> Find(string name) =>
        Named.GetValueOrDefault(name)
        ?? throw new InvalidDataException($"no transformation \"{name}\"; there are {string.Join(", ", Names)}.");

    /// <summary>The row with its options and the right one of them.</summary>
    /// <exception cref="InvalidDataException">There are no options, or the right one is not among them.</exception>
    internal static DatasetRow WithChoices(DatasetRow row, IEnumerable<string> choices, params ReadOnlySpan<int> golds)
    {
        var list = DatasetRow.ListOf(choices);
        foreach (var gold in golds)
            if (gold < 0 || gold >= list.Count)
                throw new InvalidDataException(
                    $"{row.Place}: the right option {gold} is outside the list of {list.Count} options (counted from 0). Mend or delete the row."
                );
        if (golds.IsEmpty)
            throw new InvalidDataException($"{row.Place}: no right option. Mend or delete the row.");
        return row.With(
            ("choices", list),
            ("gold", golds.Length == 1 ? golds[0] : new JsonArray([.. golds.ToArray().Select(gold => (JsonNode)gold)]))
        );
    }

    /// <summary>The index of an option letter.</summary>
    internal static int IndexOf(char letter) => letter is >= 'A' and <= 'Z' ? letter - 'A' : -1;
}
