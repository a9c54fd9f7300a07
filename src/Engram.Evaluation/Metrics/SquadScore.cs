using Engram.Evaluation.Text;

namespace Engram.Evaluation.Metrics;

/// <summary>
/// SQuAD's exact match and token F1 (the official <c>evaluate-v2.0.py</c>): normalised words counted with multiplicity, the best of several
/// golds; no gold means "no answer".
/// </summary>
public static class SquadScore
{
    /// <summary>
    /// Exact match (0 or 1) and F1 (0 to 1) against the best gold answer. Where every gold is empty the empty prediction is right.
    /// </summary>
    public static (double ExactMatch, double F1) Score(string prediction, IReadOnlyCollection<string> golds)
    {
        var answers = golds.Where(gold => AnswerText.Squad(gold).Length > 0).DefaultIfEmpty("");
        var (exact, f1) = (0.0, 0.0);
        foreach (var gold in answers)
        {
            exact = Math.Max(exact, AnswerText.Squad(prediction) == AnswerText.Squad(gold) ? 1 : 0);
            f1 = Math.Max(f1, F1(prediction, gold));
        }
        return (exact, f1);
    }

    private static double F1(string prediction, string gold)
    {
        var (predicted, expected) = (AnswerText.Words(AnswerText.Squad(prediction)), AnswerText.Words(AnswerText.Squad(gold)));
        if (predicted.Length == 0 || expected.Length == 0)
            return predicted.Length == expected.Length ? 1 : 0;
        var counts = expected.CountBy(word => word).ToDictionary();
        double shared = 0;
        foreach (var word in predicted)
        {
            if (counts.GetValueOrDefault(word) == 0)
                continue;
            counts[word]--;
            shared++;
        }
        if (shared == 0)
            return 0;
        var (precision, recall) = (shared / predicted.Length, shared / expected.Length);
        return 2 * precision * recall / (precision + recall);
    }
}
