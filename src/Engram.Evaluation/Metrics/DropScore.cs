using Engram.Evaluation.Text;

namespace Engram.Evaluation.Metrics;

/// <summary>
/// DROP's exact match and F1 (Dua et al. 2019; AllenNLP's <c>drop_em_and_f1.py</c>, which lm-evaluation-harness's
/// <c>tasks/drop/utils.py</c> follows): answers are bags of normalised tokens, spans are aligned one to one, a gold span with numbers
/// counts only where one number is shared, several golds give their maximum.
/// </summary>
public static class DropScore
{
    /// <summary>Exact match (0 or 1) and F1 (0 to 1, rounded to two decimals) against the best gold answer.</summary>
    /// <param name="prediction">Predicted spans; a free answer is one span.</param>
    /// <param name="golds">Gold answers, each a number, a date or several spans. A gold whose first span is empty does not count.</param>
    public static (double ExactMatch, double F1) Score(IReadOnlyList<string> prediction, IEnumerable<IReadOnlyList<string>> golds)
    {
        var (exact, f1) = (0.0, 0.0);
        foreach (var gold in golds)
        {
            if (gold.Count == 0 || string.IsNullOrWhiteSpace(gold[0]))
                continue;
            var one = ScoreOne(prediction, gold);
            (exact, f1) = (Math.Max(exact, one.ExactMatch), Math.Max(f1, one.F1));
        }
        return (exact, f1);
    }

    /// <summary>
    /// A span as it is compared: split at spaces and hyphens, each token in lower case, without punctuation unless it is a number, numbers
    /// as Python writes floats, no articles.
    /// </summary>
    public static string Normalise(string span) =>
        string.Join(' ', span.Split(' ', '-').Select(NormaliseToken).Where(token => token.Length > 0));

    private static (double ExactMatch, double F1) ScoreOne(IReadOnlyList<string> prediction, IReadOnlyList<string> gold)
    {
        string[] predicted = [.. prediction.Select(Normalise)];
        string[] expected = [.. gold.Select(Normalise)];
        var exact = predicted.Length == expected.Length && predicted.ToHashSet().SetEquals(expected) ? 1 : 0;
        HashSet<string>[] predictedBags = [.. predicted.Select(Bag)];
        HashSet<string>[] expectedBags = [.. expected.Select(Bag)];
        var gains = new double[expectedBags.Length, predictedBags.Length];
        for (var i = 0; i < expectedBags.Length; i++)
        for (var j = 0; j < predictedBags.Length; j++)
            gains[i, j] = SharesNumber(expectedBags[i], predictedBags[j]) ? BagF1(predictedBags[j], expectedBags[i]) : 0;
        var sum = 0.0;
        var columns = Assignment.Best(gains);
        for (var i = 0; i < columns.Length; i++)
            sum += columns[i] < 0 ? 0 : gains[i, columns[i]];
        return (exact, Math.Round(sum / Math.Max(expectedBags.Length, predictedBags.Length), 2, MidpointRounding.ToEven));
    }

    private static string NormaliseToken(string token)
    {
        token = token.ToLowerInvariant();
        if (!PythonFloat.TryParse(token, out _))
            token = AnswerText.Delete(token, AnswerText.Punctuation);
        if (PythonFloat.TryParse(token, out var number))
            token = PythonFloat.Format(number);
        return AnswerText.SqueezeSpace(AnswerText.RemoveArticles(token));
    }

    private static HashSet<string> Bag(string span) => [.. AnswerText.Words(span)];

    private static bool SharesNumber(HashSet<string> gold, HashSet<string> predicted)
    {
        var numbers = gold.Where(IsNumber).ToHashSet();
        return numbers.Count == 0 || predicted.Where(IsNumber).Any(numbers.Contains);
    }

    private static bool IsNumber(string token) => PythonFloat.TryParse(token, out _);

    private static double BagF1(HashSet<string> predicted, HashSet<string> gold)
    {
        double shared = predicted.Count(gold.Contains);
        var precision = predicted.Count == 0 ? 1 : shared / predicted.Count;
        var recall = gold.Count == 0 ? 1 : shared / gold.Count;
        return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
    }
}
