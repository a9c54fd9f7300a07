using System.Text.Json.Nodes;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Datasets;

/// <summary>Questions on a passage, which data sets nest below it.</summary>
internal static class PassageRows
{
    /// <summary>
    /// RACE: an article with several questions (questions, options, answers; or "problems", a Python list as text), or one question a row.
    /// Each question gets "article", "question", "previous" (the article's earlier questions, each with its right answer) and "last".
    /// </summary>
    public static IEnumerable<DatasetRow> Race(IEnumerable<DatasetRow> rows)
    {
        var previous = new List<(string Question, string Answer)>();
        DatasetRow? held = null;
        foreach (var question in rows.SelectMany(RaceQuestions))
        {
            var sameArticle = held?.Text("article") == question.Text("article");
            if (held is not null)
                yield return held.With(("last", !sameArticle));
            if (!sameArticle)
                previous.Clear();
            held = question.With(
                (
                    "previous",
                    new JsonArray([.. previous.Select(pair => new JsonObject { ["question"] = pair.Question, ["answer"] = pair.Answer })])
                )
            );
            previous.Add((question.Text("question"), question.Texts("choices")[OptionRows.Number(question, "gold")]));
        }
        if (held is not null)
            yield return held.With(("last", true));
    }

    /// <summary>The articles of one of the ascending series of ids that a file holds one behind the other.</summary>
    public static IEnumerable<DatasetRow> Series(IEnumerable<DatasetRow> articles, int number)
    {
        var (current, before) = (0, "");
        foreach (var article in articles)
        {
            var id = article.Text("id");
            current += string.CompareOrdinal(id, before) < 0 ? 1 : 0;
            before = id;
            if (current == number)
                yield return article;
        }
    }

    /// <summary>
    /// C3: lines of a dialogue or passage and questions on them; the right option is given as text, of equal ones the first.
    /// </summary>
    public static IEnumerable<DatasetRow> C3(IEnumerable<DatasetRow> rows)
    {
        foreach (var row in rows)
        {
            if (row.Values["choice"] is not null) // the hub's layout: a row a question
            {
                yield return C3Question(
                    row,
                    row.Values["context"] is JsonArray ? row.Texts("context") : row.Texts("documents"),
                    row.Values
                );
                continue;
            }
            if (
                row.Values["value"] is not JsonArray { Count: >= 2 } document
                || document[0] is not JsonArray lines
                || document[1] is not JsonArray questions
            )
                throw new InvalidDataException($"{row.Place}: not [lines, questions, id]. {row.Remedy}");
            for (var i = 0; i < questions.Count; i++)
                yield return C3Question(
                    row,
                    [.. lines.Select(line => row.TextOf(line, "lines"))],
                    questions[i] as JsonObject
                        ?? throw new InvalidDataException($"{row.Place}: question {i} is no object. Mend or delete the row.")
                );
        }
    }

    /// <summary>
    /// DROP: a passage with its questions, or one question a row. "answers" are the gold answers, each a list of spans; "shot" is another
    /// question of the passage, "shot_answer" its answer; both are empty where there is no other.
    /// </summary>
    public static IEnumerable<DatasetRow> Drop(IEnumerable<DatasetRow> rows)
    {
        var passages = rows.SelectMany(DropQuestions).GroupBy(row => row.Text("passage"));
        foreach (var passage in passages)
        {
            DatasetRow[] questions = [.. passage];
            for (var i = 0; i < questions.Length; i++)
            {
                var shot = questions.Length == 1 ? null : questions[i == 0 ? 1 : 0];
                yield return questions[i]
                    .With(
                        ("shot", shot?.Text("question") ?? ""),
                        ("shot_answer", shot?.Text("answer_text") ?? ""),
                        ("shot_kind", shot?.Text("kind") ?? "")
                    );
            }
        }
    }

    private static IEnumerable<DatasetRow> RaceQuestions(DatasetRow row)
    {
        var article = row.Text("article");
        if (row.Values["problems"] is not null)
        {
            if (!PythonLiteral.TryParse(row.Text("problems"), out var problems) || problems is not PythonCollection list)
                throw new InvalidDataException($"{row.Place}: column \"problems\" holds no Python list. {row.Remedy}");
            return list.Items.Select((problem, i) => RaceProblem(row, article, problem as PythonCollection, i));
        }
        if (row.Values["questions"] is null)
            return [RaceQuestion(row, article, row.Text("question"), row.Texts("options"), row.Text("answer"))];
        var (questions, answers, options) = (row.Texts("questions"), row.Texts("answers"), row.List("options"));
        if (answers.Count != questions.Count || options.Count != questions.Count)
            throw new InvalidDataException(
                $"{row.Place}: {questions.Count} questions, {options.Count} lists of options and {answers.Count} answers. Mend or delete the row."
            );
        return questions.Select(
            (question, i) =>
                RaceQuestion(
                    row with
                    {
                        Place = $"{row.Place}.questions[{i}]",
                    },
                    article,
                    question,
                    [.. (options[i] as JsonArray ?? []).Select(option => row.TextOf(option, "options"))],
                    answers[i]
                )
        );
    }

    private static DatasetRow RaceProblem(DatasetRow row, string article, PythonCollection? problem, int number)
    {
        var place = row with { Place = $"{row.Place}.problems[{number}]" };
        object? Entry(string key) =>
            problem?.Items.OfType<PythonCollection>().FirstOrDefault(entry => entry.Items is [string name, _] && name == key)?.Items[1];
        return Entry("question") is string question && Entry("answer") is string answer && Entry("options") is PythonCollection options
            ? RaceQuestion(
                place,
                article,
                question,
                [
                    .. options.Items.Select(option =>
                        option as string ?? throw new InvalidDataException($"{place.Place}: an option is no text. Mend or delete the row.")
                    ),
                ],
                answer
            )
            : throw new InvalidDataException($"{place.Place}: no question, options and answer. {row.Remedy}");
    }

    private static DatasetRow RaceQuestion(DatasetRow row, string article, string question, IReadOnlyList<string> options, string letter)
    {
        var values = new JsonObject
        {
            ["article"] = article,
            ["question"] = question,
            ["_file"] = row.Values["_file"]?.DeepClone(),
        };
        return DatasetTransform.WithChoices(
            row with
            {
                Values = values,
            },
            options,
            letter is [var one] ? DatasetTransform.IndexOf(one) : -1
        );
    }

    private static DatasetRow C3Question(DatasetRow row, IReadOnlyList<string> lines, JsonObject question)
    {
        var inner = row with { Values = question };
        var (choices, answer) = (inner.Texts("choice"), inner.Text("answer"));
        var gold = choices.ToList().IndexOf(answer);
        if (gold < 0)
            throw new InvalidDataException($"{row.Place}: the answer \"{answer}\" is not among the options. Mend or delete the row.");
        var values = new JsonObject
        {
            ["context"] = string.Join('\n', lines),
            ["question"] = inner.Text("question"),
            ["_file"] = row.Values["_file"]?.DeepClone(),
        };
        return DatasetTransform.WithChoices(row with { Values = values }, choices, gold);
    }

    private static IEnumerable<DatasetRow> DropQuestions(DatasetRow row)
    {
        if (row.Values["qa_pairs"] is null)
            return [DropQuestion(row, row.Text("passage"))];
        var passage = row.Text("passage");
        return row.List("qa_pairs")
            .Select(
                (pair, i) =>
                    DropQuestion(
                        row with
                        {
                            Place = $"{row.Place}.qa_pairs[{i}]",
                            Values = pair is JsonObject values ? (JsonObject)values.DeepClone() : [],
                        },
                        passage
                    )
            );
    }

    private static DatasetRow DropQuestion(DatasetRow row, string passage)
    {
        var golds = new List<string[]> { DropAnswer(row, row.Object("answer")) };
        golds.AddRange(ValidatedAnswers(row).Select(answer => DropAnswer(row, answer)));
        string[][] distinct = [.. golds.DistinctBy(spans => string.Join('\u001f', spans))];
        var kind =
            row.Object("answer") is var answer && Text(answer["number"]).Length > 0 ? "number"
            : answer["spans"] is JsonArray { Count: > 0 } ? "span"
            : "date";
        return row.With(
            ("passage", passage.Trim()),
            ("answers", new JsonArray([.. distinct.Select(spans => (JsonNode)DatasetRow.ListOf(spans))])),
            ("answer_text", string.Join(", ", golds[0])),
            ("kind", kind)
        );
    }

    /// <summary>A number, spans or a date, in this order: whichever is there (lm-evaluation-harness, <c>tasks/drop</c>).</summary>
    private static string[] DropAnswer(DatasetRow row, JsonObject answer)
    {
        if (Text(answer["number"]) is { Length: > 0 } number)
            return [number];
        if (answer["spans"] is JsonArray { Count: > 0 } spans)
            return [.. spans.Select(span => row.TextOf(span, "spans"))];
        var date = answer["date"] as JsonObject ?? [];
        return [string.Join(' ', Text(date["day"]), Text(date["month"]), Text(date["year"])).Trim()];
    }

    /// <summary>Further annotators' answers: a list of answers, or (on the hub) an object of lists.</summary>
    private static IEnumerable<JsonObject> ValidatedAnswers(DatasetRow row)
    {
        if (row.Values["validated_answers"] is JsonArray list)
            return list.Select(answer =>
                answer as JsonObject
                ?? throw new InvalidDataException($"{row.Place}: a validated answer is no object. Mend or delete the row.")
            );
        if (row.Values["validated_answers"] is not JsonObject columns || columns["number"] is not JsonArray numbers)
            return [];
        JsonNode? Item(string column, int i) => columns[column] is JsonArray items && i < items.Count ? items[i]?.DeepClone() : null;
        return Enumerable
            .Range(0, numbers.Count)
            .Select(i => new JsonObject
            {
                ["number"] = Item("number", i),
                ["date"] = Item("date", i),
                ["spans"] = Item("spans", i),
            });
    }

    private static string Text(JsonNode? value) =>
        value is null ? ""
        : value.GetValueKind() == System.Text.Json.JsonValueKind.String ? value.GetValue<string>()
        : value.ToJsonString();
}
