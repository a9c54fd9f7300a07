using System.Collections.Immutable;
using Engram.Addressing;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Vocabulary;

namespace Engram.PublishedCheckpoints;

/// <summary>
/// The memory of a DeepSeek-V4.1 checkpoint, opened where it lies: <c>config.json</c>, and in (sharded) safetensors files one table per
/// memory layer, <c>layers.L.engram.embed.weight</c> F8_E4M3 [R, w] with <c>layers.L.engram.embed.scale</c> F8_E8M0 [R, w / 32];
/// <c>model.</c> may stand before the names. Opening reads headers alone: milliseconds and a few MiB whatever the tables' size. Must be
/// disposed.
/// </summary>
public sealed class V41Checkpoint : IDisposable
{
    private const int GroupSize = 32;
    private static readonly string[] Prefixes = ["", "model."];

    private readonly EngramTable[] _tables;

    private V41Checkpoint(
        V41Configuration configuration,
        AddressingConstants constants,
        EngramTable[] tables,
        ImmutableArray<string> files,
        ImmutableArray<string> tensorNames
    ) => (Configuration, Constants, _tables, Files, TensorNames) = (configuration, constants, tables, files, tensorNames);

    /// <summary>What <c>config.json</c> says about the memory.</summary>
    public V41Configuration Configuration { get; }

    /// <summary>Hash constants, derived from the configuration: seed 0, one number of slots for all orders.</summary>
    public AddressingConstants Constants { get; }

    /// <summary>Tables in the order of <see cref="V41Configuration.LayerIds"/>. This checkpoint disposes them.</summary>
    public IReadOnlyList<EngramTable> Tables => _tables;

    /// <summary>Paths of the files with the tables' values, in the same order.</summary>
    public ImmutableArray<string> Files { get; }

    /// <summary>Names of the tensors of values, in the same order.</summary>
    public ImmutableArray<string> TensorNames { get; }

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">With <c>config.json</c> and <c>model.safetensors.index.json</c> or <c>model.safetensors</c>.</param>
    /// <param name="map">
    /// Canonical map of the checkpoint's tokenizer. Without it the pad token is taken to be its own canonical id, as special tokens at the
    /// head of a vocabulary are; it fills windows beyond the start of a document and decides nothing else.
    /// </param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, or rows, widths, types and configuration contradict each other; the message names both sides.
    /// </exception>
    public static V41Checkpoint Open(string folder, CanonicalMap? map = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var configuration = V41Configuration.Load(Path.Combine(folder, "config.json"));
        var constants = AddressingConstants.Derive(configuration.Addressing(CanonicalPad(configuration, map)));
        foreach (var (layer, rows) in constants.Layers.Zip(configuration.Rows))
            if (layer.TotalRows != rows)
                throw new InvalidDataException(
                    $"{configuration.Path}: engram_num_embeddings says {rows} rows for layer {layer.Layer}, but its primes have the sum "
                        + $"{layer.TotalRows}."
                );

        var index = SafetensorsIndex.Open(folder);
        var names = ImmutableArray.CreateBuilder<string>(constants.Layers.Length);
        var tables = new List<EngramTable>(constants.Layers.Length);
        try
        {
            foreach (var layer in constants.Layers)
            {
                names.Add(NameOf(folder, index, layer.Layer));
                tables.Add(OpenTable(index, names[^1]));
                Check(configuration, layer, tables[^1], index.PathOf(names[^1]), names[^1]);
            }
            return new V41Checkpoint(configuration, constants, [.. tables], [.. names.Select(index.PathOf)], names.MoveToImmutable());
        }
        catch
        {
            tables.ForEach(table => table.Dispose());
            throw;
        }
    }

    /// <summary>Ends all mappings.</summary>
    public void Dispose()
    {
        foreach (var table in _tables)
            table.Dispose();
    }

    private static int CanonicalPad(V41Configuration configuration, CanonicalMap? map)
    {
        if (map is null)
            return configuration.PadTokenId;
        if (map.CanonicalVocabularySize != configuration.CompressedVocabularySize)
            throw new InvalidDataException(
                $"{configuration.Path}: engram_compressed_vocab_size is {configuration.CompressedVocabularySize}, the tokenizer's map has "
                    + $"{map.CanonicalVocabularySize} canonical ids."
            );
        if (configuration.PadTokenId >= map.VocabularySize)
            throw new InvalidDataException(
                $"{configuration.Path}: engram_pad_token_id is {configuration.PadTokenId}, the tokenizer has the ids 0 to "
                    + $"{map.VocabularySize - 1}."
            );
        return map[configuration.PadTokenId];
    }

    private static string NameOf(string folder, SafetensorsIndex index, int layer)
    {
        var name = $"layers.{layer}.engram.embed.weight";
        foreach (var prefix in Prefixes)
            if (index.Contains(prefix + name))
                return prefix + name;
        throw new InvalidDataException(
            $"{folder}: no tensor '{name}', with or without 'model.' before it, though config.json lists layer {layer}."
        );
    }

    private static EngramTable OpenTable(SafetensorsIndex index, string name)
    {
        var scaleName = TableFile.ScaleTensor(name);
        var (valuePath, scalePath) = (index.PathOf(name), index.PathOf(scaleName));
        var values = index.OpenFileOf(name);
        SafetensorsFile? scales = null;
        try
        {
            scales = scalePath == valuePath ? values : index.OpenFileOf(scaleName);
            return EngramTable.Open(values, scales, name);
        }
        catch
        {
            values.Dispose();
            scales?.Dispose();
            throw;
        }
    }

    private static void Check(V41Configuration configuration, LayerConstants layer, EngramTable table, string file, string name)
    {
        if (table.Rows != layer.TotalRows || table.Width != configuration.HeadDim)
            throw new InvalidDataException(
                $"{file}: tensor '{name}' has {table.Rows} rows of {table.Width} values, but {configuration.Path} makes it "
                    + $"{layer.TotalRows} of {configuration.HeadDim}."
            );
        if (table.Format != RowFormat.Float8(GroupSize))
            throw new InvalidDataException(
                $"{file}: tensor '{name}' has rows of {table.Format}; a V4.1 checkpoint has F8_E4M3 with an F8_E8M0 scale per {GroupSize} "
                    + "values."
            );
    }
}
