using Engram.Evaluation.Text;

namespace Engram.Evaluation.Metrics;

/// <summary>
/// PopQA's accuracy (AlexTMallen/adaptive-retrieval, <c>run_model.py</c>): some possible answer, as it is, lower-cased or capitalised,
/// occurs in the prediction.
/// </summary>
public static class Contains
{
    /// <summary>1 if a possible answer occurs, else 0. An empty answer never counts.</summary>
    public static double Score(string prediction, IEnumerable<string> answers) =>
        answers.Any(answer => answer.Length > 0 && Occurs(prediction, answer)) ? 1 : 0;

    private static bool Occurs(string prediction, string answer) =>
        prediction.Contains(answer, StringComparison.Ordinal)
        || prediction.Contains(answer.ToLowerInvariant(), StringComparison.Ordinal)
        || prediction.Contains(AnswerText.Capitalize(answer), StringComparison.Ordinal);
}
