using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Tables;
using static TorchSharp.torch;

namespace Engram.Torch;

/// <summary>
/// Writes and reads a whole model as a <see cref="ModelFolder"/>. It is written beside its final place and renamed when complete.
/// </summary>
public static class LanguageModelFolder
{
    /// <inheritdoc cref="LanguageModel.Save"/>
    public static void Save(LanguageModel model, string folder) =>
        FolderReplacement.Replace(folder, temporary => WriteInto(model, temporary));

    /// <summary>Writes the files of a model into an existing folder.</summary>
    public static void WriteInto(LanguageModel model, string folder)
    {
        WriteWithoutTables(model, folder);
        model.Memory?.Tables.SaveInto(folder);
    }

    /// <summary>Writes the files of a model whose tables lie elsewhere into an existing folder.</summary>
    internal static void WriteWithoutTables(LanguageModel model, string folder)
    {
        model.Configuration.Save(Path.Combine(folder, ModelFolder.ConfigurationFile));
        model.Tokenizer.Save(Path.Combine(folder, ModelFolder.TokenizerFile));
        DenseWeights.Save(model.Transformer, Path.Combine(folder, ModelFolder.WeightsFile), model.Identity);
        if (model.Memory is not { } memory)
            return;
        Directory.CreateDirectory(Path.Combine(folder, "engram"));
        new ModelAddressing(memory.Addresser.Constants, memory.Map, memory.TokenizerFingerprint).Save(
            Path.Combine(folder, TablePaths.Addressing)
        );
    }

    /// <inheritdoc cref="LanguageModel.Load(string, Device?, MemoryOptions?)"/>
    public static LanguageModel Load(string folder, Device? device, MemoryOptions? options) => Load(folder, device, options, instead: null);

    /// <summary>Opens a model folder under a configuration of the same weights, for example one with a longer context.</summary>
    internal static LanguageModel Load(string folder, Device? device, MemoryOptions? options, ModelConfiguration? instead)
    {
        var opened = ModelFolder.Open(folder);
        DenseWeights.RequireSizeOf(opened.Configuration, opened.Weights);
        // What the compression leaves of the vocabulary is known here, and need not be before.
        if (instead?.Engram is { CompressedVocabularySize: 0 } memory && opened.Configuration.Engram is { } own)
            instead = instead with { Engram = memory with { CompressedVocabularySize = own.CompressedVocabularySize } };
        var transformer = new EngramTransformer(instead ?? opened.Configuration, device);
        try
        {
            DenseWeights.Load(transformer, opened.Weights);
            return new LanguageModel(opened.Tokenizer, transformer, opened.OpenMemory(options))
            {
                Identity = options?.NewIdentity ?? ModelIdentity.Read(opened.Weights),
            };
        }
        catch
        {
            transformer.Dispose();
            throw;
        }
    }
}
