using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Models.Sequences;
using Engram.Storage;
using Engram.Tokenization;
using Engram.Torch;

namespace Engram.Evaluation.Inspection;

/// <summary>What one memory layer did at every position of a text. Arrays are row-major.</summary>
/// <param name="Layer">0-based block index.</param>
/// <param name="Rows">Table rows read, [T, H], order-major heads, offsets included; −1 at dead positions.</param>
/// <param name="Memory">Gathered rows side by side, [T, d_mem].</param>
/// <param name="HiddenIn">
/// Residual streams at the entry of the block, or their one mixture that its attention reads, or the input embedding, [T, S, D].
/// </param>
/// <param name="Gate">Gate per stream, [T, S]; 0 at dead positions.</param>
/// <param name="Output">What was added to them, or to the values of all attention heads, [T, S, D or H·v].</param>
public sealed record InspectedLayer(int Layer, long[] Rows, float[] Memory, float[] HiddenIn, float[] Gate, float[] Output);

/// <summary>Runs a text through a model and keeps what its memory read, let through and added.</summary>
public sealed class MemoryInspection
{
    private readonly Tokenizer _tokenizer;
    private readonly EngramConfiguration _engram;
    private readonly int[] _ages;

    private MemoryInspection(IInspectedModel model, int[] tokenIds, int[] canonicalIds, int[] ages, IReadOnlyList<InspectedLayer> layers)
    {
        (_tokenizer, _engram, _ages) = (model.Tokenizer, model.Configuration.Engram!, ages);
        (TokenIds, CanonicalIds, Layers) = (tokenIds, canonicalIds, layers);
        (Streams, Columns) = (model.Configuration.FusedStreams, model.Memory!.Columns);
    }

    /// <summary>Token ids, [T]; the first is the document start.</summary>
    public IReadOnlyList<int> TokenIds { get; }

    /// <summary>Canonical ids, [T]; −1 at dead positions.</summary>
    public IReadOnlyList<int> CanonicalIds { get; }

    /// <summary>One record per memory layer, ascending.</summary>
    public IReadOnlyList<InspectedLayer> Layers { get; }

    /// <summary>Streams S that a read is fused with: the model's residual streams, or 1 where it joins something else.</summary>
    public int Streams { get; }

    /// <summary>Rows H that a position reads in one layer.</summary>
    public int Columns { get; }

    /// <summary>Heads per n-gram order.</summary>
    public int HeadsPerOrder => _engram.NHeads;

    /// <summary>The n-gram orders, ascending.</summary>
    public IEnumerable<int> Orders => Enumerable.Range(_engram.MinNgramSize, _engram.Orders);

    /// <summary>
    /// Runs a text behind the token that begins a document. Further such tokens inside the text begin others, as in training.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="text">The text.</param>
    /// <param name="memory">The memory to read: the model's own or a control.</param>
    /// <exception cref="ArgumentException">The model has no memory, none is read, or the text does not fit into the context.</exception>
    /// <exception cref="InvalidOperationException">The configuration names no start token.</exception>
    public static MemoryInspection Run(IInspectedModel model, string text, MemoryBank? memory)
    {
        if (model.Memory is null)
            throw new ArgumentException("The model has no memory to inspect: its configuration has no engram_* keys.", nameof(model));
        if (memory is null)
            throw new ArgumentException("A memory that is off leaves nothing to inspect.", nameof(memory));
        var documents = new DocumentRule(model.Configuration);
        int[] ids = [documents.StartOfText, .. model.Tokenizer.Encode(text)];
        if (ids.Length > model.Configuration.MaxPositionEmbeddings)
            throw new ArgumentException(
                $"The text has {ids.Length} tokens, but the model's context holds {model.Configuration.MaxPositionEmbeddings}.",
                nameof(text)
            );

        var (starts, rows) = (documents.Starts(ids), new MemoryRows());
        memory.Address(ids, starts, 1, rows);
        var layers = model
            .Read(ids, memory)
            .Select(
                (seen, position) =>
                    new InspectedLayer(
                        memory.LayerIds[position],
                        rows.Layer(position).ToArray(),
                        seen.Memory,
                        seen.HiddenIn,
                        seen.Gate,
                        seen.Output
                    )
            )
            .ToList();
        return new MemoryInspection(model, ids, rows.CanonicalIds.ToArray(), documents.Places(ids, starts, 1).Ages, layers);
    }

    /// <inheritdoc cref="Run(IInspectedModel, string, MemoryBank)"/>
    public static MemoryInspection Run(LanguageModel model, string text, MemoryBank? memory) =>
        Run(new InspectedTorchModel(model), text, memory);

    /// <summary>Text of one token as the tokenizer decodes it alone.</summary>
    public string TokenText(int position) => _tokenizer.Decode([TokenIds[position]]);

    /// <summary>
    /// The tokens of the suffix n-gram that ends at a position, oldest first; null before the text, before the document, and at dead
    /// positions and whatever precedes them.
    /// </summary>
    /// <param name="position">From 0.</param>
    /// <param name="order">One of <see cref="Orders"/>.</param>
    public IReadOnlyList<string?> Ngram(int position, int order)
    {
        var tokens = new string?[order];
        for (var back = 0; back < order && back <= _ages[position]; back++)
            tokens[order - 1 - back] = TokenText(position - back);
        return tokens;
    }

    /// <summary>The gates of a position, one per stream.</summary>
    /// <param name="layer">One of <see cref="Layers"/>.</param>
    /// <param name="position">From 0.</param>
    public ReadOnlySpan<float> Gates(InspectedLayer layer, int position) => layer.Gate.AsSpan(position * Streams, Streams);

    /// <summary>Mean of the gates of a position over the streams.</summary>
    /// <inheritdoc cref="Gates"/>
    public float MeanGate(InspectedLayer layer, int position) =>
        System.Numerics.Tensors.TensorPrimitives.Sum(Gates(layer, position)) / Streams;

    /// <summary>The table rows that the n-gram of one order read at a position, one per head.</summary>
    /// <param name="layer">One of <see cref="Layers"/>.</param>
    /// <param name="position">From 0.</param>
    /// <param name="order">One of <see cref="Orders"/>.</param>
    public ReadOnlySpan<long> Rows(InspectedLayer layer, int position, int order) =>
        layer.Rows.AsSpan((position * Columns) + ((order - _engram.MinNgramSize) * HeadsPerOrder), HeadsPerOrder);

    /// <summary>
    /// Writes <c>layer.N.{token_ids, canonical_ids, rows, memory, hidden_in, gate, output}</c> for every memory layer N: with the weights
    /// of the model folder anybody can recompute the fusion from it.
    /// </summary>
    public void Dump(string path)
    {
        var writer = new SafetensorsWriter();
        var length = TokenIds.Count;
        foreach (var layer in Layers)
        {
            var prefix = $"layer.{layer.Layer}";
            writer.Add<long>($"{prefix}.token_ids", DType.I64, [.. TokenIds], length);
            writer.Add<long>($"{prefix}.canonical_ids", DType.I64, [.. CanonicalIds], length);
            writer.Add<long>($"{prefix}.rows", DType.I64, layer.Rows, length, Columns);
            writer.Add<float>($"{prefix}.memory", DType.F32, layer.Memory, length, layer.Memory.Length / length);
            writer.Add<float>(
                $"{prefix}.hidden_in",
                DType.F32,
                layer.HiddenIn,
                length,
                Streams,
                layer.HiddenIn.Length / (length * Streams)
            );
            writer.Add<float>($"{prefix}.gate", DType.F32, layer.Gate, length, Streams);
            writer.Add<float>($"{prefix}.output", DType.F32, layer.Output, length, Streams, layer.Output.Length / (length * Streams));
        }

        writer.Write(path);
    }
}
