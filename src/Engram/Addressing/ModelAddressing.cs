using System.Text.Json;
using Engram.Storage;
using Engram.Vocabulary;

namespace Engram.Addressing;

/// <summary>
/// What a model folder stores about its addresses (<c>engram/addressing.json</c>): the specification, the canonical map, the fingerprint of
/// the tokenizer the map belongs to, and all constants. The constants could be derived again, and are when the file is read: a difference
/// is an error, never a silent change of every row.
/// </summary>
public sealed class ModelAddressing
{
    /// <summary>Joins what a model is created with.</summary>
    /// <param name="constants">Hash constants.</param>
    /// <param name="canonicalMap">Canonical id of every tokenizer id.</param>
    /// <param name="tokenizerFingerprint">Identifies the tokenizer, for example the SHA-256 of its file.</param>
    /// <exception cref="ArgumentException">
    /// The map has another number of canonical ids than the specification, or the fingerprint is empty.
    /// </exception>
    public ModelAddressing(AddressingConstants constants, CanonicalMap canonicalMap, string tokenizerFingerprint)
    {
        ArgumentNullException.ThrowIfNull(constants);
        ArgumentNullException.ThrowIfNull(canonicalMap);
        ArgumentException.ThrowIfNullOrWhiteSpace(tokenizerFingerprint);
        if (canonicalMap.CanonicalVocabularySize != constants.Spec.CompressedVocabularySize)
            throw new ArgumentException(
                $"The map has {canonicalMap.CanonicalVocabularySize} canonical ids, the specification "
                    + $"{constants.Spec.CompressedVocabularySize}.",
                nameof(canonicalMap)
            );
        Constants = constants;
        CanonicalMap = canonicalMap;
        TokenizerFingerprint = tokenizerFingerprint;
    }

    /// <summary>Hash constants, with the specification they follow from.</summary>
    public AddressingConstants Constants { get; }

    /// <summary>Canonical id of every tokenizer id.</summary>
    public CanonicalMap CanonicalMap { get; }

    /// <summary>Identifies the tokenizer the map belongs to.</summary>
    public string TokenizerFingerprint { get; }

    /// <summary>Writes the file. The same content gives the same bytes.</summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <exception cref="IOException">The file cannot be written; one that was there before is intact.</exception>
    public void Save(string path)
    {
        var spec = Constants.Spec;
        var content = new ModelJson
        {
            CompressedVocabularySize = spec.CompressedVocabularySize,
            Layers = [.. spec.Layers],
            SlotsPerOrder = [.. spec.SlotsPerOrder],
            HeadsPerOrder = spec.HeadsPerOrder,
            Seed = spec.Seed,
            PadId = spec.PadId,
            MinOrder = spec.MinOrder == 2 ? null : spec.MinOrder,
            Hash = spec.Hash == HashScheme.MultiplicativeXor ? null : spec.Hash,
            TokenizerFingerprint = TokenizerFingerprint,
            PerLayer = [.. Constants.Layers.Select(Describe)],
            MapSha256 = CanonicalMap.Sha256,
            Map = CanonicalMap.Map.ToArray(),
        };
        AtomicFile.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(content, AddressingJson.Default.ModelJson));
    }

    /// <summary>Reads a file and verifies everything that can be derived again.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tokenizerFingerprint">Fingerprint of the tokenizer in use; null where there is none to compare with.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Damaged, contradictory, or for another tokenizer; the message names both sides.</exception>
    public static ModelAddressing Load(string path, string? tokenizerFingerprint = null)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file.", path);
        try
        {
            using var stream = File.OpenRead(path);
            var content =
                JsonSerializer.Deserialize(stream, AddressingJson.Default.ModelJson) ?? throw new JsonException("The file is null.");
            var map = CanonicalMap.FromStored(content.Map, path);
            if (map.Sha256 != content.MapSha256)
                throw new ArgumentException($"The map has the SHA-256 {map.Sha256}, the file says {content.MapSha256}.");
            var addressing = new ModelAddressing(AddressingConstants.Derive(content.ToSpec()), map, content.TokenizerFingerprint);
            addressing.CheckConstants(content.PerLayer);
            if (tokenizerFingerprint is not null && tokenizerFingerprint != content.TokenizerFingerprint)
                throw new ArgumentException(
                    $"The map belongs to the tokenizer {content.TokenizerFingerprint}, the one in use is {tokenizerFingerprint}."
                );
            return addressing;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private void CheckConstants(ModelLayerJson[] stored)
    {
        if (stored.Length != Constants.Layers.Length)
            throw new ArgumentException($"The file has constants of {stored.Length} layers, its specification {Constants.Layers.Length}.");
        foreach (var (layer, found) in Constants.Layers.Zip(stored))
        {
            if (found is null)
                throw new ArgumentException($"Layer {layer.Layer}: the constants are null.");
            var expected = Describe(layer);
            Compare(layer.Layer, "index", [found.Layer], [expected.Layer]);
            Compare(layer.Layer, "multipliers", found.Multipliers, expected.Multipliers);
            Compare(layer.Layer, "number of orders", [found.Primes.Length], [expected.Primes.Length]);
            for (var order = 0; order < expected.Primes.Length; order++)
                Compare(
                    layer.Layer,
                    $"primes of order {order + Constants.Spec.MinOrder}",
                    found.Primes[order] ?? [],
                    expected.Primes[order]
                );
            Compare(layer.Layer, "offsets", found.Offsets, expected.Offsets);
            Compare(layer.Layer, "total rows", [found.TotalRows], [expected.TotalRows]);
        }
    }

    private static void Compare(int layer, string what, long[] found, long[] expected)
    {
        if (!found.AsSpan().SequenceEqual(expected))
        {
            var at = found.AsSpan().CommonPrefixLength(expected);
            throw new ArgumentException(
                $"Layer {layer}, {what}: the file says {Excerpt(found, at)}, its specification gives {Excerpt(expected, at)}."
            );
        }
    }

    // A hostile file may ask for thousands.
    private static string Excerpt(long[] values, int at) =>
        values.Length <= 16 ? $"[{string.Join(", ", values)}]"
        : at < values.Length ? $"{values[at]} as number {at + 1} of {values.Length}"
        : $"{values.Length} numbers";

    private static ModelLayerJson Describe(LayerConstants layer) =>
        new()
        {
            Layer = layer.Layer,
            Multipliers = [.. layer.Multipliers],
            Primes = [.. layer.Primes.Select(heads => heads.ToArray())],
            Offsets = [.. layer.Offsets],
            TotalRows = layer.TotalRows,
        };
}
