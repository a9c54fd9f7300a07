using System.Globalization;
using System.Text;
using CsCheck;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Folders;

/// <summary>
/// Whatever is done to a file of a model folder, the folder loads or there is one InvalidDataException that names a file of it: no other
/// exception, no crash, no allocation beyond what the files hold. ENGRAM_FUZZ_CASES sets the number of cases of each test; 10000 take
/// minutes.
/// </summary>
public sealed class ModelFolderFuzzTests : IDisposable
{
    private static readonly long Cases = long.Parse(
        Environment.GetEnvironmentVariable("ENGRAM_FUZZ_CASES") ?? "200",
        CultureInfo.InvariantCulture
    );

    private static readonly string[] Hostile =
    [
        "0",
        "-1",
        "1",
        "2",
        "7",
        "300",
        "511",
        "4096",
        "65536",
        "2147483647",
        "-2147483648",
        "9223372036854775807",
        "1e308",
        "0.5",
        "null",
        "true",
        "\"\"",
        "[]",
        "{}",
        "[0]",
        "[1,2,3]",
        "[2147483647]",
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly string _model;

    public ModelFolderFuzzTests()
    {
        _model = _folder.File("model");
        using var model = RandomModel.Create(
            TinyRun.WithMemory(memory => memory with { SlotsPerOrder = [13, 17] }) with
            {
                HiddenSize = 16,
                NumHiddenLayers = 3,
                IntermediateSize = 12,
                MoeIntermediateSize = 8,
                KvLoraRank = 8,
                NumAttentionHeads = 2,
                NRoutedExperts = 4,
            }
        );
        model.Save(_model);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("engram/addressing.json")]
    [InlineData("engram/layer-02.safetensors")]
    [InlineData("tokenizer.json")]
    public void Mutated_bytes_load_or_are_one_error(string file)
    {
        var intact = File.ReadAllBytes(Path.Combine(_model, file));
        // Most of the edits near the start, where headers are.
        Gen.Select(Gen.OneOf(Gen.Int[0, 4000], Gen.Int[0, intact.Length - 1]), Gen.Byte, Gen.Int[0, 4])
            .Array[1, 5]
            .Sample(
                edits => LoadsOrIsRefused(file, Mutate(intact, edits)),
                iter: Share(file),
                threads: 1,
                print: edits => $"{file}: {string.Join(' ', edits)}"
            );
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("engram/addressing.json")]
    public void Hostile_values_load_or_are_one_error(string file)
    {
        var intact = File.ReadAllText(Path.Combine(_model, file));
        var values = System
            .Text.RegularExpressions.Regex.Matches(intact, "(?<=\"[A-Za-z_0-9]+\": ?)[^,\\[{\\s}]+")
            .Select(match => (match.Index, match.Length))
            .ToArray();
        Gen.Select(Gen.Int[0, values.Length - 1], Gen.Int[0, Hostile.Length - 1])
            .Array[1, 3]
            .Sample(
                edits =>
                {
                    var text = new StringBuilder(intact);
                    foreach (var (value, by) in edits.DistinctBy(edit => edit.Item1).OrderByDescending(edit => values[edit.Item1].Index))
                        text.Remove(values[value].Index, values[value].Length).Insert(values[value].Index, Hostile[by]);
                    LoadsOrIsRefused(file, Encoding.UTF8.GetBytes(text.ToString()));
                },
                iter: Share(file),
                threads: 1,
                print: edits => $"{file}: {string.Join(' ', edits)}"
            );
    }

    /// <summary>The reader of the tokenizer has a test of its own and takes longest.</summary>
    private static long Share(string file) => file == "tokenizer.json" ? Math.Max(1, Cases / 10) : Cases;

    private void LoadsOrIsRefused(string file, byte[] content)
    {
        var path = Path.Combine(_model, file);
        var intact = File.ReadAllBytes(path);
        File.WriteAllBytes(path, content);
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            LanguageModel.Load(_model).Dispose();
        }
        catch (InvalidDataException error)
        {
            Assert.Contains(_model, error.Message);
            Assert.True(error.Message.Length < 2000, error.Message);
        }
        finally
        {
            File.WriteAllBytes(path, intact);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64L << 20);
    }

    private static byte[] Mutate(byte[] intact, (int Place, byte Value, int Kind)[] edits)
    {
        List<byte> bytes = [.. intact];
        foreach (var (place, value, kind) in edits.TakeWhile(_ => bytes.Count > 1))
        {
            var at = place % bytes.Count;
            if (kind == 0)
                bytes[at] = value;
            else if (kind == 1)
                bytes.RemoveAt(at);
            else if (kind == 2)
                bytes.Insert(at, (byte)('0' + value % 10));
            else if (kind == 3)
                bytes.RemoveRange(at, Math.Min(value, bytes.Count - at - 1));
            else
                bytes.RemoveRange(at, bytes.Count - at - (at == 0 ? 1 : 0));
        }

        return [.. bytes];
    }
}
