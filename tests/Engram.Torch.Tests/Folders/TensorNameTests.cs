using System.Text.RegularExpressions;
using Engram.Models.Configuration;
using Engram.Storage;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Architecture;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Folders;

/// <summary>
/// Names, types and shapes on disk are a contract: those of one small model are committed, and docs/formats.md has them all.
/// </summary>
public sealed partial class TensorNameTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tensors_of_tiny_engram_are_the_committed_ones()
    {
        using (var model = LanguageModel.Create(Presets.Load("tiny-engram"), TinyCorpus.Shared.Tokenizer, seed: 1))
            model.Save(_folder.File("model"));
        Assert.Equal(
            File.ReadAllLines(Path.Combine(Repository.Root, "tests", "Engram.Torch.Tests", "Folders", "tiny-engram-tensors.txt")),
            Tensors(_folder.File("model"))
        );
    }

    [Fact]
    public void Every_tensor_and_file_of_a_checkpoint_is_documented()
    {
        var guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "formats.md"));
        var options = TinyRun.Options with { Steps = 2 };
        Assert.Null(
            TinyRun.Train(
                TinyRun.Setup(_folder.File("run"), options) with
                {
                    Configuration = TinyRun.Configuration with { QLoraRank = 12 },
                },
                stop: 1
            )
        );
        var checkpoint = _folder.File("run/checkpoints/00000001");
        foreach (var line in Tensors(checkpoint))
        {
            var (file, name) = (line.Split(' ')[0], line.Split(' ')[1]);
            var pattern = Experts().Replace(Layers().Replace(name, "layers.L."), "experts.E.");
            if (file == "training/optimizer.safetensors")
            {
                // PARAMETER.state, the parameter under its name in memory, where gate and up projections are one and experts are stacked.
                var state = pattern[(pattern.LastIndexOf('.') + 1)..];
                Assert.Contains($"`PARAMETER.{state}`", guide);
                pattern = pattern[..^(state.Length + 1)];
            }

            Assert.True(guide.Contains($"`{pattern}`"), $"docs/formats.md lacks `{pattern}`");
        }

        foreach (
            var file in TinyRun.Files(_folder.File("run")).Keys.Where(file => !file.StartsWith("tensorboard", StringComparison.Ordinal))
        )
        {
            var pattern = file.Replace("00000001", "NNNNNNNN")
                .Replace("layer-01", "layer-NN")
                .Replace("layer-02", "layer-NN")
                .Replace("table-01", "table-NN")
                .Replace("table-02", "table-NN");
            Assert.True(guide.Contains($"`{pattern.Replace("checkpoints/NNNNNNNN/", "")}`"), $"docs/formats.md lacks `{pattern}`");
        }
    }

    [Fact]
    public void Every_tensor_of_a_dump_is_documented()
    {
        var guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "formats.md"));
        using var model = RandomModel.Create(TinyRun.Configuration);
        Engram.Evaluation.Inspection.MemoryInspection.Run(model, "ka lo mi", model.Memory).Dump(_folder.File("dump.safetensors"));
        using var file = SafetensorsFile.Open(_folder.File("dump.safetensors"));
        Assert.Equal(14, file.Tensors.Count);
        foreach (var name in file.Tensors.Keys)
            Assert.Contains($"`{Regex.Replace(name, "^layer\\.[12]\\.", "layer.L.")}`", guide);
    }

    [Fact]
    public void Every_key_of_metrics_and_result_is_documented()
    {
        var guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "formats.md"));
        TinyRun.Train(TinyRun.Setup(_folder.File("run"), TinyRun.Options with { Steps = 1 }));
        foreach (var file in new[] { "metrics.jsonl", "result.json", "train.json" })
        foreach (Match key in JsonKeys().Matches(File.ReadAllText(_folder.File("run/" + file))))
            Assert.True(guide.Contains($"`{key.Groups[1].Value}`"), $"docs/formats.md lacks `{key.Groups[1].Value}` of {file}");
    }

    /// <summary>FILE NAME TYPE [SHAPE] of every tensor below a folder, in order.</summary>
    private static List<string> Tensors(string folder)
    {
        var lines = new List<string>();
        foreach (var path in Directory.GetFiles(folder, "*.safetensors", SearchOption.AllDirectories))
        {
            using var file = SafetensorsFile.Open(path);
            foreach (var tensor in file.Tensors.Values)
                lines.Add($"{Path.GetRelativePath(folder, path)} {tensor.Name} {tensor.DType} [{string.Join(", ", tensor.Shape)}]");
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    [GeneratedRegex(@"layers\.\d+\.")]
    private static partial Regex Layers();

    [GeneratedRegex(@"experts\.\d+\.")]
    private static partial Regex Experts();

    [GeneratedRegex("\"([a-z_0-9]+)\":")]
    private static partial Regex JsonKeys();
}
