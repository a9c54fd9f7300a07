using Engram.Corpora.World;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Extraction;
using Engram.Evaluation.Harness;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Evaluation.World;

public sealed class WorldTaskFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EverySet_IsATaskByChoiceAndOneByWriting()
    {
        var root = _folder.File("world");
        var summary = WorldFolder.Write(
            new WorldOptions
            {
                Facts = 200,
                Tokens = 60_000,
                Window = 32,
                Questions = 20,
            },
            root
        );
        foreach (var suffix in new[] { "", "_write" })
        {
            var names = TaskFiles.Load($"world{suffix}").Tasks;
            Assert.Equal(
                summary.Questions.Keys.Select(kind => $"world_{kind.Replace('-', '_')}{suffix}").Order(StringComparer.Ordinal),
                names.Order(StringComparer.Ordinal)
            );
            Assert.All(names, name => AssertAsksWhatTheWorldAsks(TaskFiles.Load(name), root));
        }
    }

    private static void AssertAsksWhatTheWorldAsks(TaskFile task, string root)
    {
        var path = Assert.Single(DatasetFiles.Find(root, Assert.Single(Assert.Single(task.Data).Files)));
        var rows = DatasetReader.Read(path, path).ToArray();
        Assert.Equal(20, rows.Length);
        var prompt = new Template(task.Prompt, task.Task);
        Assert.All(rows, row => Assert.Equal(row.Text("prompt"), prompt.Render(row.Values, row.Place)));
        Assert.All(
            task.Stem.Concat(task.Context).Concat(task.Subtask is { } part ? [part] : []),
            column => Assert.All(rows, row => Assert.NotEqual("", row.Text(column)))
        );
        if (task.Kind == TaskKind.Choice)
        {
            Assert.All(rows, row => Assert.Equal(row.Text("answer"), row.Texts("choices")[(int)row.Value("gold")]));
            return;
        }

        // What a model writes that has learnt the text ends its sentence in one of several ways.
        var filter = ExtractionFilter.Match(task.Filters[0].Steps[0].Trim('/'));
        Assert.All(
            rows,
            row => Assert.All(Lexicon.Tails, tail => Assert.Equal(row.Text(task.References), filter($" {row.Text("answer")}{tail}")))
        );
    }
}
