using Engram.Models.Configuration;
using Engram.Studies.Definitions;

namespace Engram.Studies.Planning;

/// <summary>How equal arms are in what they are claimed to have in common.</summary>
/// <param name="What">What is compared.</param>
/// <param name="Setting">Where.</param>
/// <param name="Reference">The arm that the others are compared with.</param>
/// <param name="Value">Its value.</param>
/// <param name="Worst">The arm that deviates most.</param>
/// <param name="Deviation">By which share of the reference.</param>
/// <param name="Arms">How many arms are compared, the reference included.</param>
/// <param name="Tolerance">The largest deviation allowed.</param>
internal sealed record EqualityCheck(
    string What,
    string Setting,
    string Reference,
    double Value,
    string Worst,
    double Deviation,
    int Arms,
    double Tolerance
)
{
    /// <summary>Whether the claim holds.</summary>
    public bool Holds => Math.Abs(Deviation) <= Tolerance;

    /// <summary>Compares the arms of a setting.</summary>
    /// <returns>Null where fewer than two of the arms take part.</returns>
    public static EqualityCheck? Of(Equality equality, string setting, IReadOnlyDictionary<string, ModelPlan> plans)
    {
        // The first pattern that matches an arm names the reference, so that it need not be the first arm of the study.
        var arms = equality
            .Arms.SelectMany(pattern => plans.Where(plan => StudyLibrary.Matches([pattern], plan.Key)))
            .DistinctBy(plan => plan.Key)
            .ToList();
        if (arms.Count < 2)
            return null;
        var reference = Of(equality.What, arms[0].Value);
        var (worst, deviation) = arms.Skip(1)
            .Select(arm => (arm.Key, (Of(equality.What, arm.Value) - reference) / reference))
            .MaxBy(arm => Math.Abs(arm.Item2));
        return new EqualityCheck(equality.What, setting, arms[0].Key, reference, worst, deviation, arms.Count, equality.Tolerance);
    }

    /// <summary>The comparison in words.</summary>
    public string Describe() =>
        FormattableString.Invariant(
            $"{Setting}: {What} of {Arms} arms equal to that of {Reference} ({Value:N0}) within {Tolerance:P1}: largest deviation {Deviation:+0.00%;−0.00%;0.00%} ({Worst}){(Holds ? "" : ", too much")}"
        );

    private static double Of(string what, ModelPlan plan) =>
        what switch
        {
            "active" => plan.ActiveParameters,
            "total" => plan.TotalWithoutVocabulary,
            "memory" => plan.MemoryParameters,
            "flops" => plan.TrainingFlopsPerToken,
            _ => throw new InvalidDataException($"'{what}' is nothing that arms can have in common: use active, total, memory or flops."),
        };
}
