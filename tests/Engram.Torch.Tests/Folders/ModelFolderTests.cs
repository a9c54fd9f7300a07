using System.Text;
using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Storage;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Folders;

/// <summary>A model comes out of its folder as it went in, or the one file that does not fit is named with both sides.</summary>
public sealed class ModelFolderTests : IDisposable
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 40).Select(i => i * 37 % 290)];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Folder => _folder.File("model");

    public static TheoryData<string> Models =>
        [
            "memory",
            "dense",
            "tied, low-rank query, one stream",
            "one row",
            "no gate, no convolution",
            "unconstrained, one fusion, learnt exit, no compression",
            "the V4.1 variant",
        ];

    [Theory, MemberData(nameof(Models))]
    public void Loaded_model_computes_the_same_bits(string name)
    {
        using var model = RandomModel.Create(Named(name));
        model.Save(Folder);
        using var loaded = LanguageModel.Load(Folder);
        Assert.Equal(model.Configuration, loaded.Configuration);
        Assert.Equal(model.Tokenizer.Fingerprint, loaded.Tokenizer.Fingerprint);
        Assert.Equal(Logits(model), Logits(loaded));
        Assert.Equal(
            model.Transformer.RouterBiases.SelectMany(b => b.Bias.ToArray()),
            loaded.Transformer.RouterBiases.SelectMany(b => b.Bias.ToArray())
        );
        foreach (var parameter in model.Transformer.Parameters.All)
            Assert.True(parameter.Tensor.bytes.SequenceEqual(loaded.Transformer.Parameters[parameter.Name].Tensor.bytes), parameter.Name);

        // The same model gives the same bytes again, over the folder that is there.
        var before = TinyRun.Files(Folder);
        loaded.Save(Folder);
        Assert.Equal(before, TinyRun.Files(Folder));
        Assert.Equal(["model"], Directory.GetFileSystemEntries(Path.GetDirectoryName(Folder)!).Select(Path.GetFileName));
    }

    [Fact]
    public void Failed_write_leaves_the_folder_that_was_there()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        model.Save(Folder);
        var before = TinyRun.Files(Folder);
        Assert.Throws<IOException>(() =>
            FolderReplacement.Replace(
                Folder,
                temporary =>
                {
                    LanguageModelFolder.WriteInto(model, temporary);
                    throw new IOException("disk full");
                }
            )
        );
        Assert.Equal(before, TinyRun.Files(Folder));
        Assert.Equal(["model"], Directory.GetFileSystemEntries(Path.GetDirectoryName(Folder)!).Select(Path.GetFileName));

        // The folder cannot take the place of a file.
        File.WriteAllText(_folder.File("file"), "text");
        Assert.Throws<IOException>(() => model.Save(_folder.File("file")));
        Assert.Equal("text", File.ReadAllText(_folder.File("file")));
        Assert.Equal(["file", "model"], Directory.GetFileSystemEntries(Path.GetDirectoryName(Folder)!).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void The_folder_of_a_run_is_told_from_its_model()
    {
        var run = _folder.File("run");
        Directory.CreateDirectory(run);
        File.WriteAllText(Path.Combine(run, "train.json"), "{}");
        TinyRun.Configuration.Save(Path.Combine(run, ModelFolder.ConfigurationFile));
        var unfinished = Assert.Throws<InvalidDataException>(() => LanguageModel.Load(run));
        Assert.Contains(Path.Combine(run, "checkpoints"), unfinished.Message);
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Path.Combine(run, "model"));
        var finished = Assert.Throws<InvalidDataException>(() => LanguageModel.Load(run));
        Assert.Contains($"use its model, {Path.Combine(run, "model")}", finished.Message);
        LanguageModel.Load(Path.Combine(run, "model")).Dispose();
    }

    [Fact]
    public void Missing_file_is_named()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Folder);
        foreach (var (name, bytes) in TinyRun.Files(Folder))
        {
            var path = Path.Combine(Folder, name);
            File.Delete(path);
            Assert.Contains(path, Assert.Throws<FileNotFoundException>(() => LanguageModel.Load(Folder)).Message);
            File.WriteAllBytes(path, bytes);
        }

        LanguageModel.Load(Folder).Dispose();
        Assert.ThrowsAny<IOException>(() => LanguageModel.Load(_folder.File("nowhere")));
    }

    [Fact]
    public void Tensors_that_do_not_fit_are_named()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Folder);
        var weights = Path.Combine(Folder, "model.safetensors");
        RefusesWeights("missing: model.norm.weight; nothing unexpected", tensors => tensors.Remove("model.norm.weight"));
        RefusesWeights(
            "nothing missing; unexpected: model.layers.9.extra",
            tensors => tensors.Add("model.layers.9.extra", tensors["model.norm.weight"])
        );
        RefusesWeights(
            "missing: model.layers.1.mlp.gate.e_score_correction_bias",
            tensors => tensors.Remove("model.layers.1.mlp.gate.e_score_correction_bias")
        );
        RefusesWeights(
            "missing: model.layers.2.engram.conv.weight, model.layers.2.engram.conv_norm.weight, model.layers.2.engram.k_weight, "
                + "model.layers.2.engram.q_weight, model.layers.2.engram.wkv.weight; ",
            tensors =>
                Assert.Equal(
                    5,
                    tensors
                        .Keys.Where(name => name.StartsWith("model.layers.2.engram", StringComparison.Ordinal))
                        .ToList()
                        .Count(tensors.Remove)
                )
        );
        RefusesWeights(
            "tensor 'model.norm.weight' is F32 [32, 2]; F32 [64] is needed",
            tensors => tensors["model.norm.weight"] = tensors["model.norm.weight"] with { Shape = [32, 2] }
        );
        RefusesWeights("tensor 'model.norm.weight' is F16", tensors => tensors["model.norm.weight"] = (DType.F16, [64], new byte[128]));
        RefusesWeights(
            "tensor 'model.layers.3.mlp.experts.5.up_proj.weight' is F32 [64, 32]; F32 [32, 64] is needed",
            tensors =>
                tensors["model.layers.3.mlp.experts.5.up_proj.weight"] = tensors["model.layers.3.mlp.experts.5.up_proj.weight"] with
                {
                    Shape = [64, 32],
                }
        );
        RefusesWeights(
            "tensor 'lm_head.weight' holds a value that is not finite",
            tensors => tensors["lm_head.weight"] = (DType.F32, [512, 64], Enumerable.Repeat((byte)0xFF, 512 * 64 * 4).ToArray())
        );
        LanguageModel.Load(Folder).Dispose();

        void RefusesWeights(string reason, Action<Dictionary<string, (DType Type, long[] Shape, byte[] Bytes)>> damage) =>
            Refuses(
                weights,
                reason,
                () =>
                {
                    var tensors = ReadAll(weights);
                    damage(tensors);
                    WriteAll(weights, tensors);
                }
            );
    }

    [Fact]
    public void Tables_that_do_not_fit_are_named()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Folder);
        var table = Path.Combine(Folder, "engram", "layer-02.safetensors");
        const string Name = "model.layers.2.engram.embed.weight";
        var (rows, width) = (ReadAll(table)[Name].Shape[0], 8);
        foreach (
            var (reason, tensors) in new (string, Dictionary<string, (DType, long[], byte[])>)[]
            {
                ($"no tensor '{Name}'", new() { ["other"] = (DType.F32, [rows, width], new byte[rows * width * 4]) }),
                (
                    $"has {rows - 1} rows of {width} values, but config.json makes it {rows} of {width}",
                    new() { [Name] = (DType.F32, [rows - 1, width], new byte[(rows - 1) * width * 4]) }
                ),
                (
                    $"has {rows} rows of {width + 1} values, but config.json makes it {rows} of {width}",
                    new() { [Name] = (DType.F32, [rows, width + 1], new byte[rows * (width + 1) * 4]) }
                ),
                ("F16", new() { [Name] = (DType.F16, [rows, width], new byte[rows * width * 2]) }),
                (
                    "row 0 of tensor",
                    new() { [Name] = (DType.F32, [rows, width], Enumerable.Repeat((byte)0xFF, (int)rows * width * 4).ToArray()) }
                ),
            }
        )
            Refuses(table, reason, () => WriteAll(table, tensors));
    }

    [Fact]
    public void Tokenizer_of_another_model_is_named_with_both_fingerprints()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Folder);
        var tokenizer = Path.Combine(Folder, "tokenizer.json");
        var (own, other) = (TinyCorpus.Shared.Tokenizer, TinyCorpus.Other.Tokenizer);
        var error = Refuses(tokenizer, other.Fingerprint, () => other.Save(tokenizer), named: Path.Combine("engram", "addressing.json"));
        Assert.Contains(own.Fingerprint, error.Message);
    }

    [Fact]
    public void Tokenizer_with_more_ids_than_the_model_is_named_with_both_counts()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration with { Engram = null, VocabularySize = 300 }))
            model.Save(Folder);
        var (path, config) = (Path.Combine(Folder, "tokenizer.json"), Path.Combine(Folder, "config.json"));
        Refuses(
            config,
            "defines 300 ids, but config.json beside it says vocab_size 299",
            () => Replace(config, "\"vocab_size\": 300", "\"vocab_size\": 299"),
            named: path
        );
    }

    [Fact]
    public void Tampered_addressing_is_named_with_both_sides()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Folder);
        var path = Path.Combine(Folder, "engram", "addressing.json");
        Tampered("multipliers", json => json["perLayer"]![0]!["multipliers"]![1] = 3);
        Tampered("primes of order 3", json => json["perLayer"]![1]!["primes"]![1]![0] = 71);
        Tampered("offsets", json => json["perLayer"]![1]!["offsets"]![2] = 1);
        Tampered("total rows", json => json["perLayer"]![0]!["totalRows"] = 5);
        Tampered("no token has canonical id", json => json["map"]!.AsArray().Last()!.ReplaceWith(299));
        Tampered("SHA-256", json => (json["map"]![40], json["map"]![41]) = ((int)json["map"]![41]!, (int)json["map"]![40]!));
        Tampered("SHA-256", json => json["mapSha256"] = new string('0', 64));
        Tampered("belongs to the tokenizer abc", json => json["tokenizerFingerprint"] = "abc");
        Tampered("multipliers", json => json["seed"] = 4);
        Tampered("constants of 2 layers", json => json["layers"] = new JsonArray(1));
        Tampered("unknown", json => json["unknown"] = 1);
        Tampered("perLayer", json => json.Remove("perLayer"));

        // Whole and consistent, but of a model that addresses otherwise.
        using (var other = RandomModel.Create(TinyRun.WithMemory(memory => memory with { Seed = 4 })))
            other.Save(_folder.File("other"));
        var error = Refuses(
            path,
            "seed 4",
            () => File.Copy(Path.Combine(_folder.File("other"), "engram", "addressing.json"), path, overwrite: true)
        );
        Assert.Contains("was made for layers [1, 2], 2 heads of [61, 61] slots, ", error.Message);
        Assert.Contains("but config.json says layers [1, 2], 2 heads of [61, 61] slots, ", error.Message);
        Assert.EndsWith("seed 0.", error.Message);
        LanguageModel.Load(Folder).Dispose();

        void Tampered(string reason, Action<JsonObject> change) =>
            Refuses(
                path,
                reason,
                () =>
                {
                    var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
                    change(json);
                    File.WriteAllText(path, json.ToJsonString());
                }
            );
    }

    [Fact]
    public void Tampered_configuration_is_named_with_both_sides()
    {
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(Folder);
        var (config, addressing) = (Path.Combine(Folder, "config.json"), Path.Combine(Folder, "engram", "addressing.json"));
        var canonical = LanguageModelCanonicalIds();
        Refuses(
            config,
            $"but config.json says layers [1, 2], 2 heads of [61, 61] slots, {canonical - 1} canonical ids",
            () => Replace(config, $"\"engram_compressed_vocab_size\": {canonical}", $"\"engram_compressed_vocab_size\": {canonical - 1}"),
            named: addressing
        );
        Refuses(
            config,
            $"merges 300 token ids into {canonical}, but config.json says engram_compress_vocabulary false",
            () => Replace(config, "\"engram_compress_vocabulary\": true", "\"engram_compress_vocabulary\": false"),
            named: addressing
        );
        Refuses(
            config,
            "but config.json says engram_pad_token_id 400",
            () => Replace(config, "\"engram_pad_token_id\": 1", "\"engram_pad_token_id\": 400"),
            named: addressing
        );
        Refuses(
            config,
            "pad 0, seed 0.",
            () => Replace(config, "\"engram_pad_token_id\": 1", "\"engram_pad_token_id\": 0"),
            named: addressing
        );
        Refuses(
            config,
            "describes a model of ",
            () => Replace(config, "\"intermediate_size\": 96", "\"intermediate_size\": 1000000"),
            named: Path.Combine(Folder, "model.safetensors")
        );
        Refuses(
            config,
            "describes a model of ",
            () => Replace(config, "\"vocab_size\": 512", "\"vocab_size\": 500000000"),
            named: Path.Combine(Folder, "model.safetensors")
        );
        Refuses(
            config,
            "tensor 'model.embed_tokens.weight' is F32 [512, 64]; F32 [600, 64] is needed",
            () => Replace(config, "\"vocab_size\": 512", "\"vocab_size\": 600"),
            named: Path.Combine(Folder, "model.safetensors")
        );

        int LanguageModelCanonicalIds()
        {
            using var model = LanguageModel.Load(Folder);
            return model.Configuration.Engram!.CompressedVocabularySize;
        }
    }

    [Fact]
    public void Model_and_tokenizer_that_do_not_fit_are_not_created()
    {
        var tokenizer = TinyCorpus.Shared.Tokenizer;
        Assert.Contains(
            "defines 300 ids but vocab_size is 299",
            Assert
                .Throws<ArgumentException>(() => LanguageModel.Create(TinyRun.Configuration with { VocabularySize = 299 }, tokenizer, 1))
                .Message
        );
        Assert.Contains(
            "engram_pad_token_id is 300, but the tokenizer defines the ids 0 to 299",
            Assert
                .Throws<ArgumentException>(() =>
                    LanguageModel.Create(TinyRun.WithMemory(memory => memory with { PadTokenId = 300 }), tokenizer, 1)
                )
                .Message
        );
        Assert.Contains(
            "engram_compressed_vocab_size is 7",
            Assert
                .Throws<ArgumentException>(() =>
                    LanguageModel.Create(TinyRun.WithMemory(memory => memory with { CompressedVocabularySize = 7 }), tokenizer, 1)
                )
                .Message
        );
    }

    /// <summary>Damages a file of the folder, requires one error with a reason, and repairs it.</summary>
    private InvalidDataException Refuses(string file, string reason, Action damage, string? named = null)
    {
        var intact = File.ReadAllBytes(file);
        damage();
        Assert.False(intact.AsSpan().SequenceEqual(File.ReadAllBytes(file)), "nothing was damaged");
        var error = Assert.Throws<InvalidDataException>(() => LanguageModel.Load(Folder));
        Assert.Contains(named ?? file, error.Message);
        Assert.Contains(reason, error.Message);
        File.WriteAllBytes(file, intact);
        return error;
    }

    private static void Replace(string file, string what, string by) =>
        File.WriteAllText(file, File.ReadAllText(file).Replace(what, by), new UTF8Encoding(false));

    private static Dictionary<string, (DType Type, long[] Shape, byte[] Bytes)> ReadAll(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return file.Tensors.Values.ToDictionary(
            tensor => tensor.Name,
            tensor => (tensor.DType, tensor.Shape, file.Bytes(tensor.Name).ToArray())
        );
    }

    private static void WriteAll(string path, Dictionary<string, (DType Type, long[] Shape, byte[] Bytes)> tensors)
    {
        var writer = new SafetensorsWriter();
        foreach (var (name, (type, shape, bytes)) in tensors)
            writer.Add(name, type, stream => stream.Write(bytes), shape);
        writer.Write(path);
    }

    private static ModelConfiguration Named(string name) =>
        name switch
        {
            "memory" => TinyRun.Configuration,
            "dense" => Presets.Load("tiny-dense"),
            "tied, low-rank query, one stream" => TinyRun.Configuration with { TieWordEmbeddings = true, QLoraRank = 12, HcMult = 1 },
            "one row" => TinyRun.WithMemory(memory => memory with { OneRow = true }),
            "no gate, no convolution" => TinyRun.WithMemory(memory => memory with { Gate = EngramGate.None, ConvKernel = 0 }),
            "unconstrained, one fusion, learnt exit, no compression" => TinyRun.WithMemory(memory =>
                memory with
                {
                    Fusion = FusionPlace.Mixture,
                    CompressVocabulary = false,
                }
            ) with
            {
                HcConstrained = false,
                HcExit = StreamExit.Head,
            },
            "the V4.1 variant" => TinyRun.V41(5, 299, 400),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };

    private static float[] Logits(LanguageModel model)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var memory = model.GatherMemory(Ids, [], 2);
        return model.Transformer.Logits(model.Transformer.Forward(Ids, [], 2, memory).Hidden).data<float>().ToArray();
    }
}
