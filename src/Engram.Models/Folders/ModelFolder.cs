using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tokenization;
using static TorchSharp.torch;

namespace Engram.Models.Folders;

/// <summary>
/// A model on disk: <c>config.json</c>, <c>tokenizer.json</c>, <c>model.safetensors</c>, <c>engram/addressing.json</c>,
/// <c>engram/layer-NN.safetensors</c>. Written beside its final place and renamed when complete.
/// </summary>
public static class ModelFolder
{
    private const string UnfinishedSuffix = ".tmp";
    private const string ReplacedSuffix = ".old";

    /// <summary>The configuration's file.</summary>
    public const string ConfigurationFile = "config.json";

    /// <summary>The tokenizer's file.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>The dense weights' file.</summary>
    public const string WeightsFile = "model.safetensors";

    /// <summary>The addressing constants' file.</summary>
    public static readonly string AddressingFile = TableSource.AddressingFile;

    /// <summary>The file of one table.</summary>
    /// <param name="layer">0-based block index.</param>
    public static string TableFile(int layer) => TableSource.LayerFile(layer);

    /// <summary>Name of the table's tensor.</summary>
    /// <param name="layer">0-based block index.</param>
    public static string TableTensor(int layer) => TableSource.LayerTensor(layer);

    /// <inheritdoc cref="LanguageModel.Save"/>
    public static void Save(LanguageModel model, string folder) => ReplaceFolder(folder, temporary => WriteInto(model, temporary));

    /// <summary>Writes the files of a model into an existing folder.</summary>
    public static void WriteInto(LanguageModel model, string folder)
    {
        WriteWithoutTables(model, folder);
        for (var position = 0; position < (model.Memory?.LayerIds.Count ?? 0); position++)
        {
            var layer = model.Memory!.LayerIds[position];
            model.Memory.Table(position).Save(Path.Combine(folder, TableFile(layer)), TableTensor(layer));
        }
    }

    /// <summary>Writes the files of a model whose tables lie elsewhere into an existing folder.</summary>
    internal static void WriteWithoutTables(LanguageModel model, string folder)
    {
        model.Configuration.Save(Path.Combine(folder, ConfigurationFile));
        model.Tokenizer.Save(Path.Combine(folder, TokenizerFile));
        DenseWeights.Save(model.Transformer, Path.Combine(folder, WeightsFile));
        if (model.Memory is not { } memory)
            return;
        Directory.CreateDirectory(Path.Combine(folder, "engram"));
        new ModelAddressing(memory.Addresser.Constants, memory.Map, memory.TokenizerFingerprint).Save(Path.Combine(folder, AddressingFile));
    }

    /// <inheritdoc cref="LanguageModel.Load"/>
    public static LanguageModel Load(string folder, Device? device, MemoryOptions? options)
    {
        RequireNoRun(folder);
        var configuration = ModelConfiguration.Load(Path.Combine(folder, ConfigurationFile));
        var tokenizer = Tokenizer.Load(Path.Combine(folder, TokenizerFile));
        if (tokenizer.VocabularySize > configuration.VocabularySize)
            throw new InvalidDataException(
                $"{Path.Combine(folder, TokenizerFile)} defines {tokenizer.VocabularySize} ids, but {ConfigurationFile} beside it says vocab_size {configuration.VocabularySize}.");
        DenseWeights.RequireSizeOf(configuration, Path.Combine(folder, WeightsFile));
        var transformer = new EngramTransformer(configuration, device);
        MemoryBank? memory = null;
        try
        {
            DenseWeights.Load(transformer, Path.Combine(folder, WeightsFile));
            if (configuration.Engram is { } engram)
                memory = LoadMemory(folder, engram, tokenizer, options ?? new MemoryOptions());
            return new LanguageModel(tokenizer, transformer, memory);
        }
        catch
        {
            transformer.Dispose();
            memory?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Fills a new folder beside <paramref name="folder"/> and puts it in its place: a failed write leaves the old one, and so does a killed
    /// process, except between two renames, when the old one is <c>FOLDER.….old</c>.
    /// </summary>
    /// <param name="folder">Its parent is created if needed.</param>
    /// <param name="write">Fills the folder of the given path.</param>
    /// <exception cref="IOException">The place is not writable or full, or <paramref name="folder"/> is a file.</exception>
    public static void ReplaceFolder(string folder, Action<string> write)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        // Names of their own, so that nothing a killed process left behind gets into the new folder.
        var unique = $"{target}.{Path.GetRandomFileName()}";
        var (temporary, old) = (unique + UnfinishedSuffix, unique + ReplacedSuffix);
        try
        {
            Directory.CreateDirectory(temporary);
            write(temporary);
            if (Directory.Exists(target))
                Directory.Move(target, old);
            Directory.Move(temporary, target);
        }
        catch
        {
            if (Directory.Exists(old) && !Directory.Exists(target))
                Directory.Move(old, target);
            DeleteQuietly(temporary);
            throw;
        }

        DeleteQuietly(old);
    }

    /// <summary>Removes what killed processes left of <see cref="ReplaceFolder"/>: nobody else may be writing there.</summary>
    /// <param name="parent">The folder that holds the replaced folders.</param>
    /// <param name="name">Name of the replaced folder, or * for any.</param>
    internal static void RemoveLeftovers(string parent, string name)
    {
        foreach (var suffix in (string[])[UnfinishedSuffix, ReplacedSuffix])
            foreach (var left in Directory.GetDirectories(parent, $"{name}.*{suffix}"))
                Directory.Delete(left, recursive: true);
    }

    /// <summary>The folder of a training run has a configuration too, so what is wrong with it would be told as a missing tokenizer.</summary>
    private static void RequireNoRun(string folder)
    {
        if (File.Exists(Path.Combine(folder, TokenizerFile)) || !File.Exists(Path.Combine(folder, "train.json")))
            return;
        var model = Path.Combine(folder, "model");
        throw new InvalidDataException(Directory.Exists(model)
            ? $"{folder} is the folder of a training run: use its model, {model}."
            : $"{folder} is the folder of a training run that has not finished: resume it, or use one of its {Path.Combine(folder, "checkpoints")}.");
    }

    private static MemoryBank LoadMemory(string folder, EngramConfiguration engram, Tokenizer tokenizer, MemoryOptions options)
    {
        var path = Path.Combine(folder, AddressingFile);
        var addressing = ModelAddressing.Load(path, tokenizer.Fingerprint);
        var (constants, map) = (addressing.Constants, addressing.CanonicalMap);
        if (map.VocabularySize != tokenizer.VocabularySize)
            throw new InvalidDataException($"{path} maps {map.VocabularySize} token ids, but {TokenizerFile} defines {tokenizer.VocabularySize}.");
        if (engram.PadTokenId >= map.VocabularySize)
            throw new InvalidDataException($"{path} maps {map.VocabularySize} token ids, but {ConfigurationFile} says engram_pad_token_id {engram.PadTokenId}.");
        var spec = engram.Addressing(map[engram.PadTokenId]);
        if (!constants.Spec.Equals(spec))
            throw new InvalidDataException($"{path} was made for {Describe(constants.Spec)}, but {ConfigurationFile} says {Describe(spec)}.");
        var stores = new List<IRowStore>();
        try
        {
            for (var position = 0; position < engram.LayerIds.Count; position++)
            {
                var layer = engram.LayerIds[position];
                var (file, rows) = (Path.Combine(folder, TableFile(layer)), MemoryBank.TableRows(engram, constants, position));
                var table = options.Open is { } open ? open(layer) : options.Tables == TableLocation.Memory ? EngramTable.Load(file, TableTensor(layer)) : EngramTable.Map(file, TableTensor(layer));
                stores.Add(table);
                if (table.Rows != rows || table.Width != engram.HeadDim)
                    throw new InvalidDataException($"{file}: the table has {table.Rows} rows of {table.Width} values, but {ConfigurationFile} makes it {rows} of {engram.HeadDim}.");
                if (options.Tables == TableLocation.Cached)
                    stores[^1] = new CachedRowStore(table, Math.Max(1, CachedRowStore.RowsWithin(options.RowCacheBytes / engram.LayerIds.Count, table.Format, table.Width)), $"layer {layer}");
            }
        }
        catch
        {
            stores.ForEach(store => store.Dispose());
            throw;
        }

        return new MemoryBank(engram, map, constants, tokenizer.Fingerprint, [.. stores]);
    }

    private static string Describe(AddressingSpec spec) =>
        $"layers [{string.Join(", ", spec.Layers)}], {spec.HeadsPerOrder} heads of [{string.Join(", ", spec.SlotsPerOrder)}] slots, "
        + $"{spec.CompressedVocabularySize} canonical ids, pad {spec.PadId}, seed {spec.Seed}";

    private static void DeleteQuietly(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is in place counts, or the failure that brought us here; a leftover is removed by the next writer.
        }
    }
}
