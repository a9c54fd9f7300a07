using System.Globalization;
using Engram.Models.Memory;
using Engram.Models.Sequences;

namespace Engram.Evaluation.Inspection;

/// <summary>What a text loses when a part of the memory is left out.</summary>
/// <param name="Part">The part, as <see cref="Suppression.Parse"/> reads it, or <c>stream=N</c>.</param>
/// <param name="Nats">By how much the loss of the next token rises at each position, [T − 1]; below 0 where the part misled.</param>
public sealed record LeftOut(string Part, float[] Nats);

/// <summary>
/// Which layers, orders, heads and residual streams of a memory carried the tokens of a text: the text is read once more without each of
/// them, and the loss of every next token compared. Parts share their work, so that what they lose alone need not add up to what all lose
/// together.
/// </summary>
/// <param name="TokenIds">Token ids, [T]; the first is the document start.</param>
/// <param name="Loss">Loss of the next token with the whole memory, nats, [T − 1].</param>
/// <param name="Parts">What is lost: everything, each layer, each order, each head of each order, each stream.</param>
public sealed record LeaveOneOut(IReadOnlyList<int> TokenIds, float[] Loss, IReadOnlyList<LeftOut> Parts)
{
    /// <summary>Reads a text as often as there are parts, and once with all of them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text; it is read behind the token that begins a document.</param>
    /// <param name="memory">The memory to read: the model's own or a control.</param>
    /// <param name="replacement">What stands in place of a row that is left out; a stream that is left out gets nothing.</param>
    /// <param name="cancellation">Ends it between two parts.</param>
    /// <exception cref="ArgumentException">The model has no memory, or the text has no token or does not fit into the context.</exception>
    public static LeaveOneOut Run(
        IInspectedModel model,
        string text,
        MemoryBank memory,
        SuppressedRow replacement = SuppressedRow.Zero,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(memory);
        var engram =
            model.Configuration.Engram
            ?? throw new ArgumentException("The model has no memory to leave out: its configuration has no engram_* keys.", nameof(model));
        int[] ids = [new DocumentRule(model.Configuration).StartOfText, .. model.Tokenizer.Encode(text)];
        if (ids.Length < 2 || ids.Length > model.Configuration.MaxPositionEmbeddings)
            throw new ArgumentException(
                $"The text has {ids.Length - 1} tokens; 1 to {model.Configuration.MaxPositionEmbeddings - 1} can be read.",
                nameof(text)
            );
        var whole = model.Losses(ids, memory, closedStream: null);
        var parts = new List<LeftOut>();
        foreach (var suppression in Suppressions(memory, Enumerable.Range(engram.MinNgramSize, engram.Orders), engram.NHeads))
        {
            cancellation.ThrowIfCancellationRequested();
            using var without = memory.Suppressed(suppression with { Replacement = replacement }, cancellation);
            parts.Add(new LeftOut(suppression.ToString(), Rise(model.Losses(ids, without, closedStream: null))));
        }

        for (var stream = 0; model.Configuration.FusedStreams > 1 && stream < model.Configuration.FusedStreams; stream++)
            parts.Add(
                new LeftOut(string.Create(CultureInfo.InvariantCulture, $"stream={stream}"), Rise(model.Losses(ids, memory, stream)))
            );
        return new LeaveOneOut(ids, whole, parts);

        float[] Rise(float[] losses) => [.. losses.Zip(whole, (without, with) => without - with)];
    }

    /// <summary>Everything, then each layer, each order, and each head of each order: what there is only one of is everything.</summary>
    private static IEnumerable<Suppression> Suppressions(MemoryBank memory, IEnumerable<int> orders, int heads)
    {
        yield return new Suppression();
        foreach (var layer in memory.LayerIds)
            if (memory.LayerIds.Count > 1)
                yield return new Suppression { Layer = layer };
        foreach (var order in orders)
        {
            if (orders.Count() > 1)
                yield return new Suppression { Order = order };
            for (var head = 0; heads > 1 && head < heads; head++)
                yield return new Suppression { Order = order, Head = head };
        }
    }
}
