using Engram.Evaluation.Code;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Extraction;
using Engram.Evaluation.Harness;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>docs/task-files.md has all that a task file may say.</summary>
public class TaskFilePageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "task-files.md"));

    [Fact]
    public void Every_name_stands_in_the_page()
    {
        string[] metrics =
        [
            .. Enum.GetValues<TaskKind>().SelectMany(kind => TaskMetrics.Names(kind)),
            .. TaskMetrics.Names(TaskKind.Generate, code: true),
        ];
        Assert.All(metrics, name => Assert.Contains($"`{name}`", Page, StringComparison.Ordinal));
        Assert.All(ExtractionFilter.Names, name => Assert.Contains($"`{name}`", Section("Filters"), StringComparison.Ordinal));
        Assert.All(PythonPrograms.Names, name => Assert.Contains($"| `{name}` |", Section("Code"), StringComparison.Ordinal));
        Assert.All(DatasetTransform.Names, name => Assert.Contains($"`{name}`", Section("Transforms"), StringComparison.Ordinal));
    }

    [Fact]
    public void Every_key_stands_in_the_page()
    {
        foreach (
            var (type, section) in new (Type, string)[]
            {
                (typeof(TaskFile), "Keys"),
                (typeof(PublishedScores), "Keys"),
                (typeof(TaskData), "Places"),
                (typeof(FewShot), "Worked examples"),
                (typeof(MatchRules), "Match"),
            }
        )
            Assert.All(
                TaskJson.Default.TaskFile.Options.GetTypeInfo(type).Properties.Where(property => property.Get is not null),
                property => Assert.Contains($"`{property.Name}`", Section(section), StringComparison.Ordinal)
            );
        Assert.All(
            TaskJson.Default.TaskFile.Options.GetTypeInfo(typeof(AnswerFilter)).Properties,
            property => Assert.Contains($"\"{property.Name}\"", Section("Filters"), StringComparison.Ordinal)
        );
    }

    /// <summary>What stands below a heading of the second level.</summary>
    private static string Section(string heading)
    {
        var start = Page.IndexOf($"\n## {heading}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"The page has no heading {heading}.");
        var end = Page.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        return end < 0 ? Page[start..] : Page[start..end];
    }
}
