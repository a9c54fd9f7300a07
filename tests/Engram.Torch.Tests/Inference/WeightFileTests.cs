using System.Runtime.InteropServices;
using Engram.Inference;
using Engram.Models.Folders;
using Engram.Storage;

namespace Engram.Torch.Tests.Inference;

/// <summary>What may stand in a file of weights, and what is refused with one error that names the file.</summary>
public sealed class WeightFileTests : IDisposable
{
    private readonly InferenceModels _models = new(InferenceModels.Configurations["tiny-engram"]);

    private string Path => System.IO.Path.Combine(_models.Folder, ModelFolder.WeightsFile);

    public void Dispose() => _models.Dispose();

    [Fact]
    public void Bfloat16_weights_give_the_bits_of_their_float32_values()
    {
        var ids = _models.Ids(40, seed: 1);
        var exact = _models.Whole(ids);
        Rewrite((_, values) => Round(values));
        var expected = Logits(ids);
        Assert.NotEqual(exact, expected);
        Rewrite((_, values) => values, half: true);
        using (var file = SafetensorsFile.Open(Path))
            Assert.All(file.Tensors.Values, tensor => Assert.Equal(DType.BF16, tensor.DType));
        Assert.Equal(expected, Logits(ids));
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Converted_weights_are_the_same_function_in_both_engines(string format)
    {
        var ids = _models.Ids(40, seed: 2);
        var target = System.IO.Path.Combine(_models.Folder, "..", format);
        var (before, after) = WeightConversion.Convert(_models.Folder, format, target);
        Assert.True(format == "float32" ? after == before : after < before, $"{before} bytes have become {after}.");
        using var managed = EngramModel.Open(target);
        using var torch = LanguageModel.Load(target);
        var logits = new float[ids.Length * _models.Vocabulary];
        managed.Read(managed.NewSequence(), ids, logits);
        AgreementTests.AssertClose(InferenceModels.Expected(torch, ids), logits);
        var exact = _models.Whole(ids);
        Assert.Equal(format == "float32", exact.SequenceEqual(logits));
        if (format is "int8" or "int4")
            Assert.Contains(
                "has lost",
                Assert.Throws<InvalidDataException>(() => WeightConversion.Convert(target, "bfloat16", target + "-again")).Message
            );
        Assert.Throws<IOException>(() => WeightConversion.Convert(_models.Folder, format, target));
        Assert.Throws<ArgumentException>(() => WeightConversion.Convert(_models.Folder, "fp8", target + "-other"));
        Assert.False(Directory.Exists(target + "-other") || Directory.Exists(target + "-again"));
    }

    [Theory]
    [InlineData("missing", "there is no tensor 'model.norm.weight'")]
    [InlineData("unexpected", "unexpected: model.other.weight")]
    [InlineData("shape", "tensor 'model.norm.weight' is F32 [63]; F32 [64] is needed")]
    [InlineData("nan", "tensor 'model.norm.weight' holds a value that is not finite")]
    [InlineData("infinity in bfloat16", "tensor 'model.norm.weight' holds a value that is not finite")]
    [InlineData("cut", "model.safetensors")]
    public void Damaged_files_are_refused(string damage, string message)
    {
        const string name = "model.norm.weight";
        if (damage == "cut")
            File.WriteAllBytes(Path, File.ReadAllBytes(Path)[..^100]);
        else
            Rewrite(
                (tensor, values) =>
                    tensor != name
                        ? values
                        : damage switch
                        {
                            "missing" => null,
                            "shape" => values[1..],
                            "nan" => [float.NaN, .. values[1..]],
                            "infinity in bfloat16" => [.. values[1..], float.PositiveInfinity],
                            _ => values,
                        },
                half: damage.EndsWith("bfloat16", StringComparison.Ordinal),
                added: damage == "unexpected" ? "model.other.weight" : null
            );
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => EngramModel.Open(_models.Folder)).Message);
    }

    private float[] Logits(int[] ids)
    {
        using var model = EngramModel.Open(_models.Folder);
        var logits = new float[ids.Length * model.Configuration.VocabularySize];
        model.Read(model.NewSequence(), ids, logits);
        return logits;
    }

    /// <summary>Writes the file anew, tensor by tensor; null leaves one out.</summary>
    private void Rewrite(Func<string, float[], float[]?> change, bool half = false, string? added = null)
    {
        var writer = new SafetensorsWriter();
        using (var file = SafetensorsFile.Open(Path))
            foreach (var tensor in file.Tensors.Values)
            {
                var before = MemoryMarshal.Cast<byte, float>(file.Bytes(tensor.Name)).ToArray();
                if (change(tensor.Name, before) is not { } values)
                    continue;
                long[] shape = values.Length == before.Length ? tensor.Shape : [values.Length];
                if (half)
                    writer.Add<ushort>(
                        tensor.Name,
                        DType.BF16,
                        values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)).ToArray(),
                        shape
                    );
                else
                    writer.Add<float>(tensor.Name, DType.F32, values, shape);
            }

        if (added is not null)
            writer.Add<float>(added, DType.F32, new float[3], 3);
        writer.Write(Path);
    }

    private static float[] Round(float[] values) =>
        [.. values.Select(value => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000))];
}
