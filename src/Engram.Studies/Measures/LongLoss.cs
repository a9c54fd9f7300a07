using Engram.Evaluation.Losses;
using Engram.Models.Configuration;
using Engram.Torch;

namespace Engram.Studies.Measures;

/// <summary>
/// Validation loss in sequences of the extended length, the same text for every arm: of models whose context was extended, and of those
/// whose was not, which read on past what they were trained on, as they are and with YaRN alone.
/// </summary>
internal static class LongLoss
{
    /// <summary>The row that comes last: the mean over all positions.</summary>
    public const string Last = "long_loss";

    private const string Beyond = "long_loss_beyond",
        Yarn = "long_loss_yarn",
        BeyondWithYarn = "long_loss_yarn_beyond";

    /// <summary>
    /// Nats per token over all positions, and over those that lie behind the old length; of a model without an extension also when YaRN
    /// extends it and nothing is trained.
    /// </summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        var (old, extended) = ((run.Run.Start ?? run.Run).Options, LongContext.Extended(run.Run)!.Options);
        var text = EvaluationText.Of(run.Corpus, run.Model.Tokenizer, extended.Length, extended.ValidationSequences);
        List<(string, double)> rows = [];
        if (!run.Run.IsExtended)
        {
            using var yarn = LanguageModel.Load(
                run.ModelFolder,
                ContextExtension.Extend(run.Model.Configuration, extended.Length, original: old.Length)
            );
            rows.AddRange(Of(yarn, Yarn, BeyondWithYarn));
        }
        rows.AddRange(Of(run.Model, Last, Beyond));
        return rows;

        IEnumerable<(string, double)> Of(LanguageModel model, string all, string beyond)
        {
            // Bins as long as the old length: the first one is what the model was trained on.
            var bins = LossByPosition.Measure(model, text, extended.Length / old.Length, model.Memory, cancellation: cancellation);
            return [(beyond, bins.Skip(1).Average(bin => bin.Nats)), (all, bins.Average(bin => bin.Nats))];
        }
    }
}
