using Engram.Evaluation.Text;

namespace Engram.Evaluation.Extraction;

/// <summary>AGIEval's cloze sets (<c>math</c>, <c>gaokao-mathcloze</c>): the answer as LaTeX.</summary>
public static class ClozeAnswers
{
    private static readonly string[] Phrases = ["answer is therefore", "answer is", "答案是", "答案为", "答案："];

    /// <summary>
    /// The box if there is one, else the last formula between dollar signs, else what stands behind an answer phrase, else the part of the
    /// first line behind its last "=".
    /// </summary>
    public static string Extract(string text)
    {
        if (MathText.LastBoxed(text) is { } boxed)
            return boxed.Trim();
        var phrase = Phrases
            .Select(words => (At: text.LastIndexOf(words, StringComparison.Ordinal), words.Length))
            .MaxBy(found => found.At);
        if (phrase.At >= 0)
            text = text[(phrase.At + phrase.Length)..].TrimStart(' ', ':', '：');
        text = text.TrimStart();
        var line = text.IndexOf('\n') is var end and >= 0 ? text[..end] : text;
        var dollars = line.Split('$');
        var answer = dollars.Length >= 3 ? dollars[dollars.Length % 2 == 1 ? ^2 : ^3] : line.TrimEnd().TrimEnd('.', '。');
        return answer[(answer.LastIndexOf('=') + 1)..].Trim();
    }
}
