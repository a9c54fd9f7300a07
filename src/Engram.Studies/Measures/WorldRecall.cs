using Engram.Corpora.World;
using Engram.Evaluation.World;
using Engram.Models.Memory;

namespace Engram.Studies.Measures;

/// <summary>
/// What a model knows of a synthetic world: the share of questions of each kind whose answer is the likeliest continuation, token by token,
/// with its memory and without. That is
/// what greedy generation would write.
/// </summary>
internal static class WorldRecall
{
    private const int QuestionsOfAKind = 200;
    private const string Prefix = "recall_";

    /// <summary>The row that comes last: sums are in every world, and their set is the last one.</summary>
    public const string Last = Prefix + WorldQuestions.Arithmetic;

    /// <summary>The row that comes last where the memory is replaced by its mean.</summary>
    public const string LastOfMean = Last + "_mean";

    /// <summary>Whether a row of this name comes from the questions.</summary>
    public static bool Gives(string row) => row.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>A row for each kind of question, and one with the memory off where there is one.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        foreach (var (kind, questions) in Questions(run))
        {
            if (run.Scored.Memory is not null)
                yield return ($"{Prefix}{kind}_off", Share(run, questions, null, cancellation));
            yield return ($"{Prefix}{kind}", Share(run, questions, run.Scored.Memory, cancellation));
        }
    }

    /// <summary>
    /// A row for each kind of question with every n-gram reading the mean row of its head: what the constant part of the memory leaves of
    /// the answers, beside which those with the memory off are to be read.
    /// </summary>
    public static IEnumerable<(string Measure, double Value)> TakeMean(MeasuredRun run, CancellationToken cancellation)
    {
        using var mean = run.Scored.Memory!.Ablation(MemoryUse.OneRow)!;
        List<(string, double)> rows = [];
        foreach (var (kind, questions) in Questions(run))
            rows.Add(($"{Prefix}{kind}_mean", Share(run, questions, mean, cancellation)));
        return rows;
    }

    // Only the answer is read: what greedy generation writes does not depend on the other choices.
    private static IEnumerable<(string Kind, List<WorldQuestion> Questions)> Questions(MeasuredRun run) =>
        new WorldQuestions(new SyntheticWorld(run.Run.Corpus.WorldOptions()!))
            .Sets()
            .Select(set =>
                (
                    set.Kind,
                    set.Questions.Take(QuestionsOfAKind)
                        .Select(question => question with { Choices = [question.Answer], Gold = 0 })
                        .ToList()
                )
            );

    private static double Share(MeasuredRun run, List<WorldQuestion> questions, MemoryBank? memory, CancellationToken cancellation) =>
        WorldEvaluation.Ask(run.Scored, questions, memory, cancellation: cancellation).Average(outcome => outcome.Written ? 1.0 : 0.0);
}
