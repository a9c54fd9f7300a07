using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tables;
using Engram.Tokenization;

namespace Engram.Models.Folders;

/// <summary>
/// A model on disk: <c>config.json</c>, <c>tokenizer.json</c>, <c>model.safetensors</c>, <c>engram/addressing.json</c>,
/// <c>engram/layer-NN.safetensors</c>. Opened, it has read what is small; weights and tables are opened by whoever computes with them.
/// </summary>
public sealed class ModelFolder
{
    private ModelFolder(string path, ModelConfiguration configuration, Tokenizer tokenizer) =>
        (Path, Configuration, Tokenizer) = (path, configuration, tokenizer);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>What the model is.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Text to token ids and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Path of the dense weights.</summary>
    public string Weights => System.IO.Path.Combine(Path, WeightsFile);

    /// <summary>The configuration's file.</summary>
    public const string ConfigurationFile = "config.json";

    /// <summary>The tokenizer's file.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>The dense weights' file.</summary>
    public const string WeightsFile = "model.safetensors";

    /// <summary>What the model was trained on; not every folder has it.</summary>
    public const string TrainingFile = "training.json";

    /// <summary>Reads configuration and tokenizer of a model folder.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or does not fit the others; the message names file and difference.
    /// </exception>
    public static ModelFolder Open(string path)
    {
        RequireNoRun(path);
        var configuration = ModelConfiguration.Load(System.IO.Path.Combine(path, ConfigurationFile));
        var tokenizer = Tokenizer.Load(System.IO.Path.Combine(path, TokenizerFile));
        if (tokenizer.VocabularySize > configuration.VocabularySize)
            throw new InvalidDataException(
                $"{System.IO.Path.Combine(path, TokenizerFile)} defines {tokenizer.VocabularySize} ids, but {ConfigurationFile} beside it "
                    + $"says vocab_size {configuration.VocabularySize}."
            );
        return new ModelFolder(path, configuration, tokenizer);
    }

    /// <summary>Opens the tables of the model.</summary>
    /// <param name="options">Where they live; read into memory by default.</param>
    /// <returns>The memory, to be disposed; null for a model without one.</returns>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or does not fit the others; the message names file and difference.
    /// </exception>
    public MemoryBank? OpenMemory(MemoryOptions? options = null)
    {
        if (Configuration.Engram is not { } engram)
            return null;
        options ??= new MemoryOptions();
        var path = System.IO.Path.Combine(Path, TablePaths.Addressing);
        var addressing = ModelAddressing.Load(path, Tokenizer.Fingerprint);
        var (constants, map) = (addressing.Constants, addressing.CanonicalMap);
        if (map.VocabularySize != Tokenizer.VocabularySize)
            throw new InvalidDataException(
                $"{path} maps {map.VocabularySize} token ids, but {TokenizerFile} defines {Tokenizer.VocabularySize}."
            );
        if (!engram.CompressVocabulary && map.CanonicalVocabularySize != map.VocabularySize)
            throw new InvalidDataException(
                $"{path} merges {map.VocabularySize} token ids into {map.CanonicalVocabularySize}, but {ConfigurationFile} says "
                    + "engram_compress_vocabulary false."
            );
        if (engram.PadTokenId >= map.VocabularySize)
            throw new InvalidDataException(
                $"{path} maps {map.VocabularySize} token ids, but {ConfigurationFile} says engram_pad_token_id {engram.PadTokenId}."
            );
        var spec = engram.Addressing(map[engram.PadTokenId]);
        if (!constants.Spec.Equals(spec))
            throw new InvalidDataException(
                $"{path} was made for {Describe(constants.Spec)}, but {ConfigurationFile} says {Describe(spec)}."
            );
        var tables = ModelTables.Open(Path, engram, constants, options);
        try
        {
            // A folder without weights has nothing that its tables could differ from.
            if (File.Exists(Weights))
                tables.Identify(Weights, ModelIdentity.Read(Weights), Path, options);
            return new MemoryBank(engram, map, constants, Tokenizer.Fingerprint, tables);
        }
        catch
        {
            tables.Dispose();
            throw;
        }
    }

    private static string Describe(AddressingSpec spec) =>
        $"layers [{string.Join(", ", spec.Layers)}], {spec.HeadsPerOrder} heads of [{string.Join(", ", spec.SlotsPerOrder)}] slots, "
        + $"{spec.CompressedVocabularySize} canonical ids, pad {spec.PadId}, seed {spec.Seed}";

    /// <summary>
    /// The folder of a training run has a configuration too, so what is wrong with it would be told as a missing tokenizer.
    /// </summary>
    private static void RequireNoRun(string folder)
    {
        if (File.Exists(System.IO.Path.Combine(folder, TokenizerFile)) || !File.Exists(System.IO.Path.Combine(folder, "train.json")))
            return;
        var model = System.IO.Path.Combine(folder, "model");
        throw new InvalidDataException(
            Directory.Exists(model)
                ? $"{folder} is the folder of a training run: use its model, {model}."
                : $"{folder} is the folder of a training run that has not finished: resume it, or use one of its "
                    + $"{System.IO.Path.Combine(folder, "checkpoints")}."
        );
    }
}
