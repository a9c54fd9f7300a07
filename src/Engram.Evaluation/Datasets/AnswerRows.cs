using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Engram.Evaluation.Extraction;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Datasets;

/// <summary>Questions whose answer is written.</summary>
internal static partial class AnswerRows
{
    /// <summary>
    /// TriviaQA in its authors' names (Question, Answer.Aliases) or the hub's: "question", "answers" (all aliases), "answer" (the first
    /// wording).
    /// </summary>
    public static DatasetRow TriviaQa(DatasetRow row)
    {
        var answer = row with
        {
            Values =
                row.Value("answer", "Answer") as JsonObject
                ?? throw new InvalidDataException($"{row.Place}: column \"answer\" holds no object. {row.Remedy}"),
        };
        var aliases = answer.Values["aliases"] is null ? answer.Texts("Aliases") : answer.Texts("aliases");
        var value = answer.Text("value", "Value");
        return row.With(
            ("question", row.Text("question", "Question")),
            ("answer", value),
            ("answers", DatasetRow.ListOf(aliases.Contains(value) ? aliases : [value, .. aliases]))
        );
    }

    /// <summary>PopQA: "answers" from the list of possible answers, which the original keeps as JSON text.</summary>
    public static DatasetRow PopQa(DatasetRow row)
    {
        if (row.Value("possible_answers") is JsonArray)
            return row.With(("answers", row.Value("possible_answers").DeepClone()));
        try
        {
            if (JsonNode.Parse(row.Text("possible_answers")) is JsonArray list)
                return row.With(("answers", list));
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{row.Place}: column \"possible_answers\" holds no JSON list. Mend or delete the row.", error);
        }
        throw new InvalidDataException($"{row.Place}: column \"possible_answers\" holds no JSON list. Mend or delete the row.");
    }

    /// <summary>GSM8K: "number" behind "####", and "rationale", the calculation line by line without its annotations.</summary>
    public static DatasetRow Gsm8k(DatasetRow row)
    {
        var answer = row.Text("answer");
        var number = NumberAnswers.Hashes(answer);
        if (number == PhraseAnswers.Invalid)
            throw new InvalidDataException($"{row.Place}: no number behind \"####\" in column \"answer\". Mend or delete the row.");
        var rationale = Annotation().Replace(answer[..answer.IndexOf("####", StringComparison.Ordinal)], "");
        // A line is a step; without the breaks one calculation would run into the next.
        var steps = rationale.Split('\n').Select(AnswerText.SqueezeSpace).Where(step => step.Length > 0);
        return row.With(("number", NumberAnswers.Clean(number)), ("rationale", string.Join('\n', steps)));
    }

    /// <summary>MGSM: "number" from the hub's column or the answer.</summary>
    public static DatasetRow Mgsm(DatasetRow row) =>
        row.With(("number", NumberAnswers.Clean(row.Values["answer_number"] is null ? row.Text("answer") : row.Text("answer_number"))));

    /// <summary>
    /// MGSM's worked examples: "question" and "rationale" without their lead-ins ("Question: …"), which are given again in "question_lead"
    /// and "answer_lead".
    /// </summary>
    public static DatasetRow MgsmShot(DatasetRow row)
    {
        var (questionLead, question) = Divide(row, row.Text("q", "question"));
        var (answerLead, rationale) = Divide(row, row.Text("a", "answer"));
        return row.With(("question_lead", questionLead), ("question", question), ("answer_lead", answerLead), ("rationale", rationale));
    }

    /// <summary>MATH: "answer" from the solution's last box, normalised as Minerva does.</summary>
    public static DatasetRow Math(DatasetRow row) =>
        row.With(
            (
                "answer",
                MathText.Minerva(
                    MathText.LastBoxed(row.Text("solution"))
                        ?? throw new InvalidDataException($"{row.Place}: no \\boxed answer in column \"solution\". Mend or delete the row.")
                )
            )
        );

    /// <summary>BBH: "subtask" from the file's name, or from its folder where the file is called after a split.</summary>
    public static DatasetRow Bbh(DatasetRow row) => row.With(("subtask", OptionRows.PartOf(row)));

    /// <summary>
    /// BBH's prompt files: a canary and a rule of dashes, an instruction, and three worked examples "Q: …", "A: …". Each example becomes a
    /// row; the instruction and an empty line are the "lead" of the first.
    /// </summary>
    public static IEnumerable<DatasetRow> BbhPrompt(DatasetRow row)
    {
        var text = row.Text("text").ReplaceLineEndings("\n");
        if (text.IndexOf("\n-----\n", StringComparison.Ordinal) is var rule and >= 0)
            text = text[(rule + "\n-----\n".Length)..];
        var parts = text.Trim().Split("\n\nQ: ");
        for (var i = 1; i < parts.Length; i++)
        {
            var answer = parts[i].IndexOf("\nA: ", StringComparison.Ordinal);
            if (answer < 0)
                throw new InvalidDataException($"{row.Place}: example {i} has no line \"A: \". Fetch the file again.");
            yield return row with
            {
                Place = $"{row.Place}#{i}",
                Values = new JsonObject
                {
                    ["subtask"] = OptionRows.PartOf(row),
                    ["lead"] = i == 1 ? $"{parts[0].Trim()}\n\n" : "",
                    ["input"] = parts[i][..answer].Trim(),
                    ["rationale"] = parts[i][(answer + "\nA: ".Length)..].Trim(),
                },
            };
        }
        if (parts.Length < 2)
            throw new InvalidDataException($"{row.Place}: no worked example \"Q: …\". Fetch the file again.");
    }

    /// <summary>Whether a task's number lies in a range, both ends included.</summary>
    public static bool MbppIsIn(DatasetRow row, int first, int last) =>
        OptionRows.Number(row, "task_id") is var number && number >= first && number <= last;

    /// <summary>What stands up to the first colon, and the rest.</summary>
    private static (string Lead, string Body) Divide(DatasetRow row, string text)
    {
        var colon = text.AsSpan().IndexOfAny(':', '：');
        return colon < 0
            ? throw new InvalidDataException($"{row.Place}: no \":\" behind the lead-in of \"{text}\". Fetch the file again.")
            : (text[..(colon + 1)].Trim(), text[(colon + 1)..].Trim());
    }

    [GeneratedRegex(@"<<[^>]*>>", RegexOptions.CultureInvariant)]
    private static partial Regex Annotation();
}
