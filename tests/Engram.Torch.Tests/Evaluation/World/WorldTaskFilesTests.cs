using Engram.Corpora.World;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Evaluation.World;
using Engram.Inference;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation.World;

public sealed class WorldTaskFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The harness and <c>engram eval world</c> ask the same and count the same.</summary>
    [Fact]
    public void EverySet_IsATaskWhoseScoresAreThoseOfTheWorldItself()
    {
        var root = _folder.File("world");
        var options = new WorldOptions
        {
            Facts = 200,
            Tokens = 60_000,
            Window = 32,
            Questions = 20,
        };
        var summary = WorldFolder.Write(options, root);
        var group = TaskFiles.Load("world");
        Assert.Equal(
            summary.Questions.Keys.Select(kind => $"world_{kind.Replace('-', '_')}").Order(StringComparer.Ordinal),
            group.Tasks.Order(StringComparer.Ordinal)
        );
        using var models = new InferenceModels(TinyRun.Configuration);
        using var model = new ManagedModel(EngramModel.Open(models.Folder, threads: 1));
        var cancellation = TestContext.Current.CancellationToken;
        var results = TaskRunner
            .Run(model, model.Memory, [group], new EvaluationOptions { DataRoot = root }, cancellation: cancellation)
            .Results;
        foreach (var (kind, questions) in new WorldQuestions(new SyntheticWorld(options)).Sets())
        {
            var outcomes = WorldEvaluation.Ask(model, [.. questions], model.Memory, cancellation: cancellation);
            var score = WorldScore.Of(kind, outcomes).First();
            Assert.Equal((score.Chosen, score.Written), (Result("acc_tok").Value, Result("greedy").Value));
            Assert.Equal(score.ChosenError!.Value, Result("acc_tok").StandardError!.Value, 1e-12);
            Assert.Equal(score.WrittenError!.Value, Result("greedy").StandardError!.Value, 1e-12);

            TaskResult Result(string metric) =>
                results.Single(result => result.Task == $"world_{kind.Replace('-', '_')}" && result.Metric == metric);
        }
    }

    [Fact]
    public void EveryColumn_ThatATaskNamesIsThere()
    {
        var root = _folder.File("world");
        WorldFolder.Write(
            new WorldOptions
            {
                Facts = 200,
                Tokens = 60_000,
                Window = 32,
                Questions = 20,
            },
            root
        );
        foreach (var task in TaskFiles.Load("world").Tasks.Select(name => TaskFiles.Load(name)))
        {
            var path = Assert.Single(DatasetFiles.Find(root, Assert.Single(Assert.Single(task.Data).Files)));
            var rows = DatasetReader.Read(path, path).ToArray();
            Assert.Equal(20, rows.Length);
            var prompt = new Template(task.Prompt, task.Task, "prompt");
            Assert.All(rows, row => Assert.Equal(row.Text("prompt"), prompt.Render(row.Values, row.Place)));
            Assert.All(rows, row => Assert.Equal(row.Text("answer"), row.Texts("choices")[(int)row.Value("gold")]));
            Assert.All(
                task.Stem.Concat(task.Context).Concat(task.Subtask is { } part ? [part] : []),
                column => Assert.All(rows, row => Assert.NotEqual("", row.Text(column)))
            );
        }
    }
}
