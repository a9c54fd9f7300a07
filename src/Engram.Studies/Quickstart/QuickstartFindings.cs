using System.Globalization;
using Engram.Studies.Statistics;

namespace Engram.Studies.Quickstart;

/// <summary>One thing the results say.</summary>
/// <param name="Question">What is compared.</param>
/// <param name="Answer">The numbers, and what they allow to say.</param>
public sealed record Finding(string Question, string Answer);

/// <summary>
/// The results in sentences, none of them stronger than the numbers. Negative results are said as plainly as positive ones.
/// </summary>
public static class QuickstartFindings
{
    /// <summary>What the results say, one entry for each question of the study.</summary>
    public static IReadOnlyList<Finding> Of(QuickstartResults results) =>
        [
            Compare(
                results,
                "Memory instead of part of the experts, equal total and active parameters",
                QuickstartStudy.Engram,
                QuickstartStudy.Moe
            ),
            Compare(
                results,
                $"What many experts are worth here, {More(results, QuickstartStudy.Moe)}",
                QuickstartStudy.Moe,
                QuickstartStudy.MoeFew
            ),
            Compare(
                results,
                $"Memory against few experts, equal active parameters, {More(results, QuickstartStudy.Engram)}",
                QuickstartStudy.Engram,
                QuickstartStudy.MoeFew
            ),
            Compare(
                results,
                "Control: the same wiring with a table that cannot tell n-grams apart",
                QuickstartStudy.OneRow,
                QuickstartStudy.Moe
            ),
            Compare(results, "What the content of the table is worth", QuickstartStudy.Engram, QuickstartStudy.OneRow),
            Switch(results, "Memory switched off after training", seed => seed.MemoryOffLoss),
            Switch(results, "Rows of the tables shuffled after training", seed => seed.ShuffledRowsLoss),
            Reliance(results),
        ];

    /// <summary>What a paired difference allows to say.</summary>
    internal static string Verdict(PairedDifference difference)
    {
        var seeds = difference.PerSeed.Count;
        if (seeds == 1)
            return Math.Abs(difference.Mean) < QuickstartStudy.NoiseNats
                ? $"No difference is established: with one seed, less than {QuickstartStudy.NoiseNats} nats is within the noise."
                : $"{difference.Arm} is {(difference.Mean < 0 ? "better" : "worse")}, in one seed.";
        return difference.Direction == 0
            ? $"No difference is established: the {seeds} seeds disagree about its sign."
            : $"{difference.Arm} is {(difference.Direction < 0 ? "better" : "worse")} in all {seeds} seeds"
                + (
                    Math.Abs(difference.Mean) < QuickstartStudy.NoiseNats
                        ? $", but on average by less than the {QuickstartStudy.NoiseNats} nats that two runs of one model may differ."
                        : "."
                );
    }

    /// <summary>A difference with its sign.</summary>
    internal static string Signed(double value) => value.ToString("+0.000;−0.000;0.000", CultureInfo.InvariantCulture);

    private static Finding Compare(QuickstartResults results, string question, string arm, string baseline)
    {
        var difference = results.Difference(arm, baseline);
        return new Finding(
            question,
            $"{arm} {Mean(results, arm):0.000}, {baseline} {Mean(results, baseline):0.000} nats per token: "
                + $"{Signed(difference.Mean)}{Spread(difference.Min, difference.Max, difference.StandardDeviation)}. {Verdict(difference)}"
        );
    }

    private static Finding Switch(QuickstartResults results, string question, Func<SeedResult, double> loss)
    {
        var rise = SeedStatistics.Of([.. results.Seeds.Select(seed => loss(seed) - seed.Arm(QuickstartStudy.Engram).ValidationLoss)]);
        return new Finding(
            question,
            $"{QuickstartStudy.Engram} goes from {Mean(results, QuickstartStudy.Engram):0.000} to {results.Seeds.Average(loss):0.000} nats per token: "
                + $"{Signed(rise.Mean)}{Spread(rise.Min, rise.Max, rise.StandardDeviation)}."
        );
    }

    private static Finding Reliance(QuickstartResults results)
    {
        var control = results.Seeds.Average(seed => seed.OneRowMemoryOffLoss - seed.Arm(QuickstartStudy.OneRow).ValidationLoss);
        return new Finding(
            "What switching off means",
            "It shows how much the trained model relies on its memory, not what the memory is worth; that is the comparison between the arms. "
                + $"{QuickstartStudy.OneRow}, whose table holds one row per head and so no knowledge of any n-gram, changes by {Signed(control)} when its own memory is switched off."
        );
    }

    private static string More(QuickstartResults results, string arm)
    {
        var first = results.Seeds[0];
        return $"{first.Arm(arm).TotalParameters - first.Arm(QuickstartStudy.MoeFew).TotalParameters:N0} parameters more";
    }

    private static double Mean(QuickstartResults results, string arm) =>
        results.Statistics.Single(statistics => statistics.Name == arm).ValidationLoss.Mean;

    private static string Spread(double min, double max, double? deviation) =>
        deviation is { } sigma ? $" on average ({Signed(min)} to {Signed(max)}, standard deviation {sigma:0.000})" : "";
}
