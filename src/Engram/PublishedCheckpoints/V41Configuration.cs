using System.Collections.Immutable;
using System.Text.Json;
using Engram.Addressing;

namespace Engram.PublishedCheckpoints;

/// <summary>
/// What the <c>config.json</c> of a DeepSeek-V4.1 checkpoint says about its memory: the fields <c>engram_…</c>, at the top or inside
/// <c>text_config</c>. There is none for seed, multipliers, primes or canonical map: they follow from these.
/// </summary>
public sealed record V41Configuration
{
    // Those of published models have a few kilobytes.
    private const long MaxLength = 4 << 20;
    private const int MaxDepth = 32;

    // Far beyond any model; keeps a hostile file from asking for long lists.
    private const int MaxOrder = 64;

    private const string LayerIdsField = "engram_layer_ids";
    private const string RowsField = "engram_num_embeddings";

    private V41Configuration() { }

    /// <summary>The file, for messages.</summary>
    public required string Path { get; init; }

    /// <summary>Memory layers, 0-based block indices, ascending (<c>engram_layer_ids</c>).</summary>
    public required ImmutableArray<int> LayerIds { get; init; }

    /// <summary>Rows of each layer's table (<c>engram_num_embeddings</c>).</summary>
    public required ImmutableArray<long> Rows { get; init; }

    /// <summary>Largest order N (<c>engram_max_ngram_size</c>); V4.1 has 4.</summary>
    public required int MaxNgramSize { get; init; }

    /// <summary>Where the prime search of every head begins (<c>engram_vocab_size</c>).</summary>
    public required long SlotsPerHead { get; init; }

    /// <summary>Hash heads per order, K (<c>engram_n_heads</c>).</summary>
    public required int Heads { get; init; }

    /// <summary>Width w of a row in values (<c>engram_head_dim</c>).</summary>
    public required int HeadDim { get; init; }

    /// <summary>
    /// Token id whose canonical id fills windows beyond the start of a document (<c>engram_pad_token_id</c>, or <c>engram_pad_id</c>).
    /// </summary>
    public required int PadTokenId { get; init; }

    /// <summary>Canonical ids V′ (<c>engram_compressed_vocab_size</c>).</summary>
    public required int CompressedVocabularySize { get; init; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">A <c>config.json</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Damaged, or a field is missing or out of range; the message names it.</exception>
    public static V41Configuration Load(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file.", path);
        var length = new FileInfo(path).Length;
        if (length > MaxLength)
            throw new InvalidDataException($"{path}: a configuration of {length} bytes; {MaxLength} are allowed.");
        try
        {
            using var json = JsonDocument.Parse(
                File.ReadAllBytes(path),
                new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false }
            );
            return Read(path, json.RootElement);
        }
        // The reader throws the second for text that is JSON by its grammar but no string.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: the configuration is not JSON of the expected form ({e.Message})", e);
        }
    }

    /// <summary>The specification of the addresses: seed 0, the same slots for every order.</summary>
    /// <param name="padId">Canonical id of <see cref="PadTokenId"/>.</param>
    /// <exception cref="InvalidDataException">No addresses can be derived.</exception>
    public AddressingSpec Addressing(int padId)
    {
        try
        {
            return new AddressingSpec
            {
                CompressedVocabularySize = CompressedVocabularySize,
                Layers = LayerIds,
                SlotsPerOrder = [.. Enumerable.Repeat(SlotsPerHead, MaxNgramSize - 1)],
                HeadsPerOrder = Heads,
                PadId = padId,
            }.Validated();
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{Path}: {e.Message}", e);
        }
    }

    private static V41Configuration Read(string path, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{path}: the configuration is not a JSON object.");
        var nested =
            root.TryGetProperty("text_config", out var text)
            && text.ValueKind == JsonValueKind.Object
            && text.TryGetProperty(LayerIdsField, out _);
        if (nested == root.TryGetProperty(LayerIdsField, out _))
            throw new InvalidDataException(
                $"{path}: '{LayerIdsField}' "
                    + (nested ? "stands both at the top and inside 'text_config'." : "is missing: a model without memory has no tables.")
            );
        var fields = nested ? text : root;
        var layers = List(path, fields, LayerIdsField, int.MaxValue);
        var rows = List(path, fields, RowsField, long.MaxValue);
        if (layers.Length != rows.Length)
            throw new InvalidDataException($"{path}: {LayerIdsField} lists {layers.Length} layers, {RowsField} {rows.Length}.");
        var pad = fields.TryGetProperty("engram_pad_token_id", out _) ? "engram_pad_token_id" : "engram_pad_id";
        return new V41Configuration
        {
            Path = path,
            LayerIds = [.. layers.Select(layer => (int)layer)],
            Rows = [.. rows],
            MaxNgramSize = (int)Number(path, fields, "engram_max_ngram_size", 2, MaxOrder),
            SlotsPerHead = Number(path, fields, "engram_vocab_size", 2, AddressingSpec.MaxSlots),
            Heads = (int)Number(path, fields, "engram_n_heads", 1, int.MaxValue),
            HeadDim = (int)Number(path, fields, "engram_head_dim", 1, int.MaxValue),
            PadTokenId = (int)Number(path, fields, pad, 0, int.MaxValue),
            CompressedVocabularySize = (int)Number(
                path,
                fields,
                "engram_compressed_vocab_size",
                1,
                AddressingSpec.MaxCompressedVocabularySize
            ),
        };
    }

    private static long[] List(string path, JsonElement fields, string name, long most)
    {
        if (!fields.TryGetProperty(name, out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
            throw new InvalidDataException($"{path}: '{name}' is no list of numbers.");
        return [.. list.EnumerateArray().Select(number => Checked(path, number, name, 0, most))];
    }

    private static long Number(string path, JsonElement fields, string name, long least, long most) =>
        fields.TryGetProperty(name, out var number)
            ? Checked(path, number, name, least, most)
            : throw new InvalidDataException($"{path}: '{name}' is missing.");

    private static long Checked(string path, JsonElement number, string name, long least, long most)
    {
        if (number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out var value) && value >= least && value <= most)
            return value;
        var text = number.GetRawText();
        throw new InvalidDataException(
            $"{path}: '{name}' is {(text.Length <= 40 ? text : $"{text.AsSpan(0, 40)}…")}; a whole number from {least} to {most} is needed."
        );
    }
}
