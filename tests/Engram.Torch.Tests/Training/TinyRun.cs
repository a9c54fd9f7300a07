using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Training;

/// <summary>Training runs of a dozen updates of a model with every mechanism: experts, four streams, two memory layers.</summary>
internal static class TinyRun
{
    public static ModelConfiguration Configuration { get; } = WithMemory(memory => memory with { TableInitStd = 0.02 });

    public static TrainingOptions Options { get; } =
        new()
        {
            Steps = 9,
            Sequences = 2,
            Length = 16,
            LearningRate = 3e-3,
            ValidateEvery = 4,
            ValidationSequences = 5,
            CheckpointEvery = 3,
        };

    /// <summary>tiny-engram before it knows its tokenizer.</summary>
    public static ModelConfiguration WithMemory(Func<EngramConfiguration, EngramConfiguration> change)
    {
        var preset = Presets.Load("tiny-engram");
        return preset with { HcSinkhornIters = 4, Engram = change(preset.Engram! with { CompressedVocabularySize = 0 }) };
    }

    /// <summary>The V4.1 variant: orders 2 to 4, no convolution, the copysign gate, ε of the backbone, dead positions.</summary>
    public static ModelConfiguration V41(params int[] deadTokenIds)
    {
        var preset = Presets.Load("tiny-v41");
        return preset with { HcSinkhornIters = 4, Engram = preset.Engram! with { DeadTokenIds = deadTokenIds, TableInitStd = 0.02 } };
    }

    public static TrainingSetup Setup(string folder, TrainingOptions? options = null, bool resume = false) =>
        new(Configuration, TinyCorpus.Shared, options ?? Options, folder, CPU, resume);

    /// <summary>Trains to the end, or until the run is cancelled after the update <paramref name="stop"/>.</summary>
    public static TrainingResult? Train(TrainingSetup setup, long stop = long.MaxValue)
    {
        using var cancellation = new CancellationTokenSource();
        try
        {
            return Trainer.Run(setup, new AfterUpdate(stop, cancellation.Cancel), cancellation.Token);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>
    /// Trains until the update <paramref name="stop"/> and leaves the folder as a killed process would: with what the system had been given
    /// by then, and nothing that is written, flushed or released afterwards. For it is that of a copy, made by the last report before the
    /// end.
    /// </summary>
    public static void Crash(TrainingSetup setup, long stop)
    {
        var left = setup.RunFolder + " as it was left";
        Assert.Throws<Crashed>(() =>
            Trainer.Run(
                setup,
                new AfterUpdate(
                    stop,
                    () =>
                    {
                        CopyFolder(setup.RunFolder, left);
                        throw new Crashed();
                    }
                )
            )
        );
        Directory.Delete(setup.RunFolder, recursive: true);
        Directory.Move(left, setup.RunFolder);
    }

    /// <summary>
    /// Copies what other processes can read of a folder now; a locked file, which says nothing but that it is locked, is left out.
    /// </summary>
    public static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.GetDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "run.lock"))
        {
            using var content = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var copy = File.Create(Path.Combine(to, Path.GetRelativePath(from, file)));
            content.CopyTo(copy);
        }
    }

    /// <summary>The lines of metrics.jsonl without the speed, which no two runs share.</summary>
    public static string[] Metrics(string folder) =>
        [
            .. File.ReadLines(Path.Combine(folder, "metrics.jsonl"))
                .Select(line =>
                {
                    var entry = JsonNode.Parse(line)!.AsObject();
                    entry.Remove("tokens_per_second");
                    return entry.ToJsonString();
                }),
        ];

    /// <summary>All files below a folder, by relative path, as bytes.</summary>
    public static SortedDictionary<string, byte[]> Files(string folder) =>
        new(
            Directory
                .GetFiles(folder, "*", SearchOption.AllDirectories)
                .ToDictionary(file => Path.GetRelativePath(folder, file), File.ReadAllBytes),
            StringComparer.Ordinal
        );

    /// <summary>Requires the same files with the same bytes, apart from those named.</summary>
    public static void AssertSameFiles(string expected, string actual, params string[] except)
    {
        var (left, right) = (Files(expected), Files(actual));
        Assert.Equal(left.Keys, right.Keys);
        foreach (var (name, bytes) in left)
            Assert.True(except.Contains(name) || bytes.AsSpan().SequenceEqual(right[name]), $"{name} differs");
    }

    private sealed class Crashed : Exception;

    private sealed class AfterUpdate(long step, Action action) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step == step)
                action();
        }
    }
}
