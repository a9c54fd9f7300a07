using Engram.Corpora.World;
using Engram.Evaluation.Scoring;
using Engram.Evaluation.World;
using Engram.Inference;
using Engram.Models.Memory;
using Engram.Torch;

namespace Engram.Studies.Measures;

/// <summary>
/// What a model knows of a synthetic world: the share of questions of each kind whose answer is the likeliest continuation, token by token,
/// with its memory and without. That is
/// what greedy generation would write.
/// </summary>
internal static class WorldRecall
{
    private const int QuestionsOfAKind = 200;

    /// <summary>The row that comes last: sums are in every world, and their set is the last one.</summary>
    public const string Last = "recall_" + WorldQuestions.Arithmetic;

    /// <summary>A row for each kind of question, and one with the memory off where there is one.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        using IScoredModel model = EngramModel.Serves(run.Model.Configuration)
            ? new ManagedModel(EngramModel.Open(run.ModelFolder))
            : new TorchModel(LanguageModel.Load(run.ModelFolder));
        foreach (var (kind, questions) in new WorldQuestions(new SyntheticWorld(run.Run.Corpus.WorldOptions()!)).Sets())
        {
            // Only the answer is read: what greedy generation writes does not depend on the other choices.
            List<WorldQuestion> asked =
            [
                .. questions.Take(QuestionsOfAKind).Select(question => question with { Choices = [question.Answer], Gold = 0 }),
            ];
            double Share(MemoryBank? memory) =>
                WorldEvaluation.Ask(model, asked, memory, cancellation: cancellation).Average(outcome => outcome.Exact ? 1.0 : 0.0);
            if (model.Memory is not null)
                yield return ($"recall_{kind}_off", Share(null));
            yield return ($"recall_{kind}", Share(model.Memory));
        }
    }
}
