using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tables;
using Engram.Tokenization;
using static TorchSharp.torch;

namespace Engram.Models.Folders;

/// <summary>
/// A model on disk: <c>config.json</c>, <c>tokenizer.json</c>, <c>model.safetensors</c>, <c>engram/addressing.json</c>,
/// <c>engram/layer-NN.safetensors</c>. Written beside its final place and renamed when complete.
/// </summary>
public static class ModelFolder
{
    /// <summary>The configuration's file.</summary>
    public const string ConfigurationFile = "config.json";

    /// <summary>The tokenizer's file.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>The dense weights' file.</summary>
    public const string WeightsFile = "model.safetensors";

    /// <summary>The addressing constants' file.</summary>
    public static readonly string AddressingFile = Path.Combine("engram", "addressing.json");

    /// <summary>The file of one table.</summary>
    /// <param name="layer">0-based block index.</param>
    public static string TableFile(int layer) => Path.Combine("engram", $"layer-{layer:00}.safetensors");

    /// <summary>Name of the table's tensor.</summary>
    /// <param name="layer">0-based block index.</param>
    public static string TableTensor(int layer) => $"model.layers.{layer}.engram.embed.weight";

    /// <inheritdoc cref="LanguageModel.Save"/>
    public static void Save(LanguageModel model, string folder) => ReplaceFolder(folder, temporary => WriteInto(model, temporary));

    /// <summary>Writes the files of a model into an existing folder.</summary>
    public static void WriteInto(LanguageModel model, string folder)
    {
        model.Configuration.Save(Path.Combine(folder, ConfigurationFile));
        model.Tokenizer.Save(Path.Combine(folder, TokenizerFile));
        DenseWeights.Save(model.Transformer, Path.Combine(folder, WeightsFile));
        if (model.Memory is not { } memory)
            return;
        Directory.CreateDirectory(Path.Combine(folder, "engram"));
        new ModelAddressing(memory.Addresser.Constants, memory.Map, memory.TokenizerFingerprint).Save(Path.Combine(folder, AddressingFile));
        foreach (var (layer, position) in memory.LayerIds.Select((layer, position) => (layer, position)))
            memory.Table(position).Save(Path.Combine(folder, TableFile(layer)), TableTensor(layer));
    }

    /// <inheritdoc cref="LanguageModel.Load"/>
    public static LanguageModel Load(string folder, Device? device)
    {
        var configuration = ModelConfiguration.Load(Path.Combine(folder, ConfigurationFile));
        var tokenizer = Tokenizer.Load(Path.Combine(folder, TokenizerFile));
        var transformer = new EngramTransformer(configuration, device);
        MemoryBank? memory = null;
        try
        {
            DenseWeights.Load(transformer, Path.Combine(folder, WeightsFile));
            if (configuration.Engram is { } engram)
                memory = LoadMemory(folder, engram, tokenizer);
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
    /// Fills a new folder beside <paramref name="folder"/> and puts it in its place: an interrupted or failed write leaves the old one.
    /// </summary>
    public static void ReplaceFolder(string folder, Action<string> write)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var temporary = $"{target}.{Environment.ProcessId}.tmp";
        var old = $"{target}.{Environment.ProcessId}.old";
        Directory.CreateDirectory(temporary);
        try
        {
            write(temporary);
            if (Directory.Exists(target))
                Directory.Move(target, old);
            Directory.Move(temporary, target);
        }
        catch
        {
            Directory.Delete(temporary, recursive: true);
            throw;
        }

        if (Directory.Exists(old))
            Directory.Delete(old, recursive: true);
    }

    private static MemoryBank LoadMemory(string folder, EngramConfiguration engram, Tokenizer tokenizer)
    {
        var path = Path.Combine(folder, AddressingFile);
        var addressing = ModelAddressing.Load(path, tokenizer.Fingerprint);
        var constants = addressing.Constants;
        var map = addressing.CanonicalMap;
        var spec = MemoryBank.Spec(engram, map);
        if (!constants.Spec.Equals(spec))
            throw new InvalidDataException($"{path} was made for {constants.Spec}, but {ConfigurationFile} says {spec}.");
        var tables = new List<EngramTable>();
        try
        {
            for (var position = 0; position < engram.LayerIds.Count; position++)
            {
                var layer = engram.LayerIds[position];
                var (file, rows) = (Path.Combine(folder, TableFile(layer)), MemoryBank.TableRows(engram, constants, position));
                var table = EngramTable.Load(file, TableTensor(layer));
                tables.Add(table);
                if (table.Rows != rows || table.Width != engram.HeadDim)
                    throw new InvalidDataException($"{file}: the table has {table.Rows} rows of {table.Width} values, but {ConfigurationFile} makes it {rows} of {engram.HeadDim}.");
            }
        }
        catch
        {
            tables.ForEach(table => table.Dispose());
            throw;
        }

        return new MemoryBank(engram, map, constants, tokenizer.Fingerprint, [.. tables]);
    }
}
