using System.Text.Json;
using Engram.Corpora.World;
using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.World;

/// <summary>What a model makes of one question.</summary>
/// <param name="Question">The question.</param>
/// <param name="Written">Whether it would write the answer: whether each token of it is the likeliest one.</param>
/// <param name="Choice">The choice with the greatest mean log-likelihood of its tokens; the first of equal ones.</param>
/// <param name="Nats">Loss of the answer, summed over its tokens.</param>
public sealed record WorldOutcome(WorldQuestion Question, bool Written, int Choice, double Nats)
{
    /// <summary>
    /// What questions have in common that are not independent: the fact whose value is asked for, in several sentences; a question without
    /// one stands alone.
    /// </summary>
    internal (int Fact, int Question) Cluster => Question.Facts is [.., var fact] ? (fact, 0) : (-1, Question.Index);

    /// <summary>Whether the choice is the answer.</summary>
    public bool Chosen => Choice == Question.Gold;

    /// <summary>
    /// What the answer tells a reader who knows the possible values, as far as the model foresees it: log₂ of their number, less the loss
    /// in bits.
    /// </summary>
    public double Bits => KnowledgeBits.OfFacts([(Question.Bits, Nats)]);
}

/// <summary>Outcomes of questions that have something in common.</summary>
/// <param name="Kind">Of which set.</param>
/// <param name="Group">What they have in common: <c>all</c>, a band of frequency, a split of two-hops.</param>
/// <param name="Questions">How many.</param>
/// <param name="Written">Share of answers that would be written.</param>
/// <param name="WrittenError">Standard error of that share over facts, of which several questions may ask; null for one fact.</param>
/// <param name="Chosen">Share of right choices; chance is one in <see cref="WorldQuestions.Choices"/>.</param>
/// <param name="ChosenError">Standard error of that share over facts.</param>
/// <param name="Bits">Mean <see cref="WorldOutcome.Bits"/>.</param>
/// <param name="PossibleBits">What it is for a perfect reader.</param>
/// <param name="FollowsText">Where a passage contradicts the text: share of choices that are the text's value; null elsewhere.</param>
public sealed record WorldScore(
    string Kind,
    string Group,
    int Questions,
    double Written,
    double? WrittenError,
    double Chosen,
    double? ChosenError,
    double Bits,
    double PossibleBits,
    double? FollowsText
)
{
    /// <summary>The score of all questions of a kind, of each band and of each split among them.</summary>
    public static IEnumerable<WorldScore> Of(string kind, IReadOnlyList<WorldOutcome> outcomes)
    {
        ArgumentNullException.ThrowIfNull(outcomes);
        yield return Of(kind, "all", outcomes);
        foreach (
            var split in outcomes
                .Where(outcome => outcome.Question.Split is not null)
                .GroupBy(outcome => outcome.Question.Split!.Value)
                .OrderBy(group => group.Key)
        )
            yield return Of(kind, JsonNamingPolicy.SnakeCaseLower.ConvertName(split.Key.ToString()), [.. split]);
        var bands = outcomes
            .GroupBy(outcome => Frequencies.Band(outcome.Question.Exposures))
            .OrderBy(group => group.Min(outcome => outcome.Question.Exposures))
            .ToArray();
        if (bands.Length > 1)
            foreach (var band in bands)
                yield return Of(kind, $"stated {band.Key} times", [.. band]);
    }

    private static WorldScore Of(string kind, string group, IReadOnlyList<WorldOutcome> outcomes)
    {
        var n = outcomes.Count;
        var (written, chosen) = (Share(outcome => outcome.Written), Share(outcome => outcome.Chosen));
        double? followsText = outcomes[0].Question.Trained is null
            ? null
            : outcomes.Count(outcome => outcome.Question.Choices[outcome.Choice] == outcome.Question.Trained) / (double)n;
        return new WorldScore(
            kind,
            group,
            n,
            written.Value,
            Finite(written.StandardError),
            chosen.Value,
            Finite(chosen.StandardError),
            outcomes.Average(outcome => outcome.Bits),
            outcomes.Average(outcome => outcome.Question.Bits),
            followsText
        );

        static double? Finite(double error) => double.IsFinite(error) ? error : null;

        Estimate Share(Func<WorldOutcome, bool> holds) =>
            Estimate.OfMean<(int, int)>(
                [.. outcomes.Select(outcome => holds(outcome) ? 1.0 : 0.0)],
                [.. outcomes.Select(outcome => outcome.Cluster)]
            );
    }
}
