using Engram.Corpora;
using Engram.Tables.Formats;
using Engram.Torch;

namespace Engram.Evaluation.Losses;

/// <summary>A model's loss with its tables in one number format.</summary>
/// <param name="Format">How rows are stored.</param>
/// <param name="RowBytes">Bytes of a row, scales included.</param>
/// <param name="TableBytes">Bytes of all tables.</param>
/// <param name="Loss">On the validation part.</param>
/// <param name="Difference">Loss less that of the tables as they are, nats per token.</param>
public sealed record FormatQuality(RowFormat Format, int RowBytes, long TableBytes, LossMeasurement Loss, double Difference);

/// <summary>What a trained model loses when its tables are stored in fewer bits, everything else equal.</summary>
public static class TableQuality
{
    /// <summary>The formats that are compared unless told otherwise.</summary>
    public static IReadOnlyList<RowFormat> Formats { get; } =
    [RowFormat.Float32, RowFormat.BFloat16, RowFormat.Float8(), RowFormat.Int8(), RowFormat.Int4()];

    /// <summary>Measures one format after the other; the tables are converted in memory.</summary>
    /// <param name="model">With memory; its tables may have any format and lie anywhere.</param>
    /// <param name="corpus">Prepared data of the model's tokenizer.</param>
    /// <param name="length">Tokens per sequence.</param>
    /// <param name="sequences">At most this many sequences, evenly spaced.</param>
    /// <param name="formats">What to compare.</param>
    /// <param name="cancellation">Ends the measurement between two batches.</param>
    /// <exception cref="ArgumentException">The model has no memory, or rows of its width cannot be stored in a format.</exception>
    public static IEnumerable<FormatQuality> Measure(
        LanguageModel model,
        PreparedCorpus corpus,
        int length,
        int sequences,
        IReadOnlyList<RowFormat> formats,
        CancellationToken cancellation = default
    )
    {
        if (model.Memory is not { } memory)
            throw new ArgumentException("The model has no memory, and so no tables to store in another format.", nameof(model));
        // What cannot be stored is found before minutes are spent on measuring.
        foreach (var format in formats)
            for (var position = 0; position < memory.LayerIds.Count; position++)
                format.CheckWidth(memory.Tables.Store(position).Width);
        var own = ValidationLoss.Measure(model, corpus, length, sequences, memory, cancellation);
        foreach (var format in formats)
        {
            using var converted = memory.InFormat(format);
            var loss = ValidationLoss.Measure(model, corpus, length, sequences, converted, cancellation);
            var rowBytes = format.RowBytes(memory.Tables.Store(0).Width);
            var rows = Enumerable.Range(0, memory.LayerIds.Count).Sum(position => memory.Tables.Store(position).Rows);
            yield return new FormatQuality(format, rowBytes, rows * rowBytes, loss, loss.Nats - own.Nats);
        }
    }
}
