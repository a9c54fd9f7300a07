using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Engram.Models.Configuration;

namespace Engram.Tests.Configuration;

public sealed class ConfigurationFuzzTests
{
    private static readonly byte[][] Seeds =
    [
        .. Presets.Names.Select(name => Encoding.UTF8.GetBytes(Presets.Load(name).ToJson())),
        PublishedConfigurations.DeepSeekV3.ToArray(),
    ];

    private static readonly string[] HostileValues =
    [
        "0",
        "-1",
        "1",
        "2",
        "7",
        "2147483647",
        "2147483648",
        "-2147483648",
        "9223372036854775807",
        "1e308",
        "1e999",
        "-1e-999",
        "0.5",
        "null",
        "true",
        "\"\"",
        "\"yarn\"",
        "[]",
        "{}",
        "[1]",
        "[0,1,2,3]",
        "[2147483647]",
        "[null]",
        "[9223372036854775807,9223372036854775807]",
        "\"\\ud800\"",
        "{\"type\":\"yarn\",\"factor\":1e308}",
    ];

    [Fact]
    public void MutatedBytes_LoadOrAreOneClearError() =>
        Gen.Select(Gen.Int[0, Seeds.Length - 1], Gen.Select(Gen.Int[0, 1 << 16], Gen.Byte, Gen.Int[0, 3]).Array[1, 6])
            .Sample((seed, edits) => LoadsOrIsRefused(Mutate(Seeds[seed], edits)), iter: 6000);

    [Fact]
    public void HostileValues_LoadOrAreOneClearError() =>
        Gen.Select(Gen.Int[0, Seeds.Length - 1], Gen.Select(Gen.Int[0, 200], Gen.Int[0, HostileValues.Length - 1]).Array[1, 3])
            .Sample(
                (seed, edits) =>
                {
                    JsonObject keys = JsonNode.Parse(Seeds[seed])!.AsObject();
                    string text = keys.ToJsonString();
                    foreach ((int place, int value) in edits)
                    {
                        string key = keys.ElementAt(place % keys.Count).Key;
                        string old = $"\"{key}\":{keys[key]?.ToJsonString() ?? "null"}";
                        text = text.Replace(old, $"\"{key}\":{HostileValues[value]}");
                    }
                    LoadsOrIsRefused(Encoding.UTF8.GetBytes(text));
                },
                iter: 6000
            );

    [Fact]
    public void LargeFile_CostsMemoryInProportionToItsSize()
    {
        byte[][] files =
        [
            Encoding.UTF8.GetBytes("{\"engram_layer_ids\": [" + string.Join(",", Enumerable.Range(0, 140_000)) + "]}"),
            Encoding.UTF8.GetBytes("{" + string.Join(",", Enumerable.Range(0, 60_000).Select(key => $"\"k{key}\":{key}")) + "}"),
            Encoding.UTF8.GetBytes("{\"engram_vocab_size\": 5, \"engram_max_ngram_size\": 2147483647}"),
            [.. "{\"vocab_size\": "u8, .. Enumerable.Repeat((byte)'9', 1_000_000), .. "}"u8],
        ];
        foreach (byte[] file in files)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<InvalidDataException>(() => ModelConfiguration.Parse(file, "config.json"));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (64L * file.Length) + (1 << 20));
        }
    }

    private static void LoadsOrIsRefused(byte[] utf8)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            ModelConfiguration model = ModelConfiguration.Parse(utf8, "config.json");
            ModelPlan plan = ModelPlan.Of(model);
            Assert.True(plan.ActiveParameters > 0 && plan.TotalParameters >= plan.ActiveParameters && plan.TrainingFlopsPerToken > 0);
        }
        catch (InvalidDataException error)
        {
            Assert.StartsWith("config.json: ", error.Message);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (64L * utf8.Length) + (1 << 20));
    }

    private static byte[] Mutate(byte[] seed, (int Place, byte Value, int Kind)[] edits)
    {
        List<byte> bytes = [.. seed];
        foreach ((int place, byte value, int kind) in edits)
        {
            int at = place % bytes.Count;
            if (kind == 0)
                bytes[at] = value;
            else if (kind == 1)
                bytes.RemoveAt(at);
            else if (kind == 2)
                bytes.Insert(at, (byte)('0' + (value % 10)));
            else
                bytes.RemoveRange(at, Math.Min(value, bytes.Count - at - 1));
        }
        return [.. bytes];
    }
}
