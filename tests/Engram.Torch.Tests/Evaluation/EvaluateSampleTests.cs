using System.Diagnostics;
using System.Globalization;
using Engram.Corpora.World;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Memory;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Architecture;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>The sample program that scores a model, run as a user runs it.</summary>
public sealed class EvaluateSampleTests : IDisposable
{
    private const string Task = "world_contiguous";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Scores_AreThoseOfTheRunner_WithoutLibTorch()
    {
        using var models = new InferenceModels(TinyRun.Configuration);
        var root = _folder.File("world");
        WorldFolder.Write(
            new WorldOptions
            {
                Facts = 200,
                Tokens = 60_000,
                Window = 32,
                Questions = 12,
            },
            root
        );
        var (code, output, errors) = await Run(models.Folder, Task, root);
        Assert.Equal((0, ""), (code, errors));

        using var model = new ManagedModel(EngramModel.Open(models.Folder));
        using var shuffled = model.Memory!.Ablation(MemoryUse.ShuffledRows)!;
        List<string> expected = [];
        var results = new List<EvaluationResult>();
        foreach (var (memory, use) in new[] { (model.Memory, "on"), (shuffled, "shuffled") })
        {
            results.Add(
                TaskRunner.Run(
                    model,
                    memory,
                    [TaskFiles.Load(Task)],
                    new EvaluationOptions { DataRoot = root, Memory = use },
                    cancellation: TestContext.Current.CancellationToken
                )
            );
            expected.AddRange(
                results[^1]
                    .Results.Select(score =>
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{Task}, {score.Metric}, memory {use}: {score.Value:0.0000} ± {score.StandardError:0.0000} over {score.Items} items"
                        )
                    )
            );
        }
        var lines = output.TrimEnd().Split('\n');
        Assert.Equal(expected, lines[..^1]);
        var difference = Assert.Single(TaskComparison.Of([TaskFiles.Load(Task)], "on", results[0], "shuffled", results[1]));
        Assert.StartsWith($"{Task}, {difference.Metric}: on − shuffled ", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongInput_IsOneLine()
    {
        var (code, output, errors) = await Run("/nowhere", Task, "/nowhere");
        Assert.Equal((1, ""), (code, output));
        Assert.Contains("/nowhere", Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.Equal(2, (await Run()).Code);
    }

    [Fact]
    public void Document_ShowsTheSample()
    {
        var code = File.ReadAllLines(Path.Combine(Repository.Root, "samples", "Evaluate", "Program.cs"))
            .SkipWhile(line => line.Trim() != "// docs: begin evaluate")
            .Skip(1)
            .TakeWhile(line => line.Trim() != "// docs: end evaluate")
            .Select(line => line.Length > 0 ? line[4..] : line);
        Assert.Contains(
            $"```csharp\n{string.Join('\n', code)}\n```",
            File.ReadAllText(Path.Combine(Repository.Root, "docs", "evaluation.md")),
            StringComparison.Ordinal
        );
    }

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Evaluate"), arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                // Where there is no libtorch, whoever loads it fails.
                Environment = { ["ENGRAM_LIBTORCH"] = "/nowhere" },
            }
        )!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }
}
