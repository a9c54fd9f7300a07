using System.Text.Json;
using Engram.Corpora.Files;

namespace Engram.Evaluation.Ruler;

/// <summary>Question sets in the layouts of their publishers.</summary>
internal static class RulerQuestionFiles
{
    /// <summary>SQuAD 1.1 or 2.0: questions that can be answered, and every paragraph.</summary>
    /// <exception cref="InvalidDataException">A file is not of this kind, or none holds a question.</exception>
    public static RulerQuestions Squad(string folder, CancellationToken cancellation) =>
        Read(
            folder,
            "SQuAD",
            (root, documents, questions) =>
            {
                foreach (var article in root.GetProperty("data").EnumerateArray())
                foreach (var paragraph in article.GetProperty("paragraphs").EnumerateArray())
                {
                    var document = documents.Add(paragraph.GetProperty("context").GetString()!);
                    foreach (var question in paragraph.GetProperty("qas").EnumerateArray())
                    {
                        string[] answers =
                        [
                            .. question
                                .GetProperty("answers")
                                .EnumerateArray()
                                .Select(answer => answer.GetProperty("text").GetString()!)
                                .Distinct(),
                        ];
                        if (
                            answers.Length > 0
                            && !(question.TryGetProperty("is_impossible", out var impossible) && impossible.GetBoolean())
                        )
                            questions.Add(new RulerQuestion(question.GetProperty("question").GetString()!.Trim(), answers, [document]));
                    }
                }
            },
            cancellation
        );

    /// <summary>HotpotQA with distractors: all paragraphs that come with a question belong to it.</summary>
    /// <exception cref="InvalidDataException">A file is not of this kind, or none holds a question.</exception>
    public static RulerQuestions HotpotQa(string folder, CancellationToken cancellation) =>
        Read(
            folder,
            "HotpotQA",
            (root, documents, questions) =>
            {
                foreach (var record in root.EnumerateArray())
                {
                    int[] context =
                    [
                        .. record
                            .GetProperty("context")
                            .EnumerateArray()
                            .Select(paragraph =>
                                documents.Add(
                                    $"{paragraph[0].GetString()}\n{string.Concat(paragraph[1].EnumerateArray().Select(sentence => sentence.GetString()))}"
                                )
                            ),
                    ];
                    questions.Add(
                        new RulerQuestion(
                            record.GetProperty("question").GetString()!.Trim(),
                            [record.GetProperty("answer").GetString()!],
                            context
                        )
                    );
                }
            },
            cancellation
        );

    private static RulerQuestions Read(
        string folder,
        string kind,
        Action<JsonElement, DocumentList, List<RulerQuestion>> read,
        CancellationToken cancellation
    )
    {
        var (documents, questions) = (new DocumentList(), new List<RulerQuestion>());
        foreach (var path in Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal))
            try
            {
                using var json = JsonDocument.Parse(InputFile.ReadAllBytes(path, cancellation));
                read(json.RootElement, documents, questions);
            }
            catch (Exception error)
                when (error is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
            {
                throw new InvalidDataException($"{path}: not in the layout of {kind} ({error.Message}).", error);
            }
        return questions.Count > 0
            ? new RulerQuestions(questions, documents.All)
            : throw new InvalidDataException($"{folder}: no .json file with a question in the layout of {kind}.");
    }

    /// <summary>Documents, each once.</summary>
    private sealed class DocumentList
    {
        private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

        public List<string> All { get; } = [];

        public int Add(string document)
        {
            if (!_numbers.TryGetValue(document, out var number))
            {
                _numbers[document] = number = All.Count;
                All.Add(document);
            }
            return number;
        }
    }
}
