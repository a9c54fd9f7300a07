using System.Text;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Gguf;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Inference;

/// <summary>GGUF files, read back by a reader that knows only the format: keys, and the values that tensors stand for.</summary>
public sealed class GgufTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    // Rows of 32 values and more, so that blocks of 32 fit.
    private static ModelConfiguration Expressible =>
        TinyRun.Configuration with
        {
            Engram = null,
            HcMult = 1,
            QLoraRank = 32,
            KvLoraRank = 32,
            QkNopeHeadDim = 16,
            VHeadDim = 16,
            NSharedExperts = 1,
            SharedExpertIntermediateSize = null,
        };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Tensors_stand_for_the_weights(string format)
    {
        var model = _folder.File("model");
        using (var torch = RandomModel.Create(Expressible))
            torch.Save(model);
        var converted = _folder.File(format);
        WeightConversion.Convert(model, format, converted);
        var path = _folder.File("model.gguf");
        GgufExport.Export(converted, path);
        var (keys, tensors) = Read(path);
        var c = Expressible;
        Assert.Equal("deepseek2", keys["general.architecture"]);
        Assert.Equal((uint)c.KvLoraRank, keys["deepseek2.attention.kv_lora_rank"]);
        Assert.Equal((float)c.RopeTheta, keys["deepseek2.rope.freq_base"]);
        Assert.Equal(c.NormTopkProb, keys["deepseek2.expert_weights_norm"]);

        using var decoded = LanguageModel.Load(converted);
        var expected = decoded.Transformer.Parameters.All.ToDictionary(
            parameter => parameter.Name,
            parameter => parameter.Tensor.data<float>().ToArray()
        );
        AssertSame(expected["model.layers.0.self_attn.q_b_proj.weight"], tensors["blk.0.attn_q_b.weight"]);
        AssertSame(expected["model.layers.1.self_attn.o_proj.weight"], tensors["blk.1.attn_output.weight"]);
        AssertSame(expected["model.norm.weight"], tensors["output_norm.weight"]);
        AssertSame(
            [.. expected["model.embed_tokens.weight"].Select(value => value * (float)c.EmbeddingScale)],
            tensors["token_embd.weight"]
        );
        var up = expected["model.layers.0.self_attn.kv_b_proj.weight"];
        var (head, latent) = (c.QkNopeHeadDim + c.VHeadDim, c.KvLoraRank);
        AssertSame(
            [
                .. from h in Enumerable.Range(0, c.NumAttentionHeads)
                from r in Enumerable.Range(0, latent)
                from i in Enumerable.Range(0, c.QkNopeHeadDim)
                select up[(h * head + i) * latent + r],
            ],
            tensors["blk.0.attn_k_b.weight"]
        );
        AssertSame(
            [
                .. Enumerable
                    .Range(0, c.NumAttentionHeads)
                    .SelectMany(h => up.Skip((h * head + c.QkNopeHeadDim) * latent).Take(c.VHeadDim * latent)),
            ],
            tensors["blk.0.attn_v_b.weight"]
        );
        Assert.Contains(tensors.Keys, name => name.EndsWith(".ffn_down_exps.weight", StringComparison.Ordinal));
        Assert.Contains(tensors.Keys, name => name.EndsWith(".exp_probs_b.bias", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("a memory")]
    [InlineData("hyper-connections")]
    [InlineData("attention within documents")]
    public void What_the_architecture_lacks_is_named(string obstacle)
    {
        var configuration = obstacle switch
        {
            "a memory" => TinyRun.Configuration,
            "hyper-connections" => Expressible with { HcMult = 2 },
            _ => Expressible with { AttentionDocumentMask = true },
        };
        using (var torch = RandomModel.Create(configuration))
            torch.Save(_folder.File("model"));
        Assert.Contains(
            obstacle,
            Assert.Throws<InvalidDataException>(() => GgufExport.Export(_folder.File("model"), _folder.File("model.gguf"))).Message
        );
        Assert.False(File.Exists(_folder.File("model.gguf")));
    }

    /// <summary>Half precision scales change a value by 2⁻¹¹ of it at most.</summary>
    private static void AssertSame(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], Math.Abs(expected[i]) / 2048);
    }

    private static (Dictionary<string, object> Keys, Dictionary<string, float[]> Tensors) Read(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        Assert.Equal(0x46554747u, reader.ReadUInt32()); // GGUF
        Assert.Equal(3u, reader.ReadUInt32());
        var (tensorCount, keyCount) = (reader.ReadUInt64(), reader.ReadUInt64());
        var keys = new Dictionary<string, object>();
        for (var i = 0ul; i < keyCount; i++)
        {
            var key = Text();
            keys[key] = reader.ReadUInt32() switch
            {
                4 => reader.ReadUInt32(),
                6 => reader.ReadSingle(),
                7 => reader.ReadByte() != 0,
                8 => Text(),
                var other => throw new InvalidDataException($"{other}"),
            };
        }

        var infos = new List<(string Name, long Count, uint Type, long Offset)>();
        for (var i = 0ul; i < tensorCount; i++)
        {
            var name = Text();
            var count = Enumerable.Range(0, (int)reader.ReadUInt32()).Aggregate(1L, (product, _) => product * (long)reader.ReadUInt64());
            infos.Add((name, count, reader.ReadUInt32(), (long)reader.ReadUInt64()));
        }

        var start = (reader.BaseStream.Position + 31) / 32 * 32;
        var tensors = new Dictionary<string, float[]>();
        foreach (var (name, count, type, offset) in infos)
        {
            Assert.Equal(0, offset % 32);
            reader.BaseStream.Position = start + offset;
            tensors[name] = type switch
            {
                0 => [.. Enumerable.Range(0, (int)count).Select(_ => reader.ReadSingle())],
                30 => [.. Enumerable.Range(0, (int)count).Select(_ => BitConverter.UInt32BitsToSingle((uint)reader.ReadUInt16() << 16))],
                8 => [.. Enumerable.Range(0, (int)count / 32).SelectMany(_ => Bytes((float)reader.ReadHalf()))],
                2 => [.. Enumerable.Range(0, (int)count / 32).SelectMany(_ => Nibbles((float)reader.ReadHalf()))],
                _ => throw new InvalidDataException($"{type}"),
            };
        }

        return (keys, tensors);

        string Text() => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadUInt64()));
        float[] Bytes(float scale) => [.. reader.ReadBytes(32).Select(value => (sbyte)value * scale)];
        float[] Nibbles(float scale)
        {
            var packed = reader.ReadBytes(16);
            return [.. packed.Select(value => ((value & 15) - 8) * scale), .. packed.Select(value => ((value >> 4) - 8) * scale)];
        }
    }
}
