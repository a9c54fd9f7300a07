using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Studies.Results;
using Engram.Studies.Running;
using Engram.Studies.StudyReports;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Studies;

/// <summary>The rows in docs/results, from which a fresh machine reports.</summary>
public sealed class PublishedResultsTests
{
    private static readonly StudyFolders Folders = new("runs", Path.Combine(Repository.Root, "docs", "results"));

    private static readonly Lazy<IReadOnlyList<Measurement>> Rows = new(() => [.. Folders.AllRowFiles.SelectMany(MeasurementFile.Read)]);

    /// <summary>Every study and size that has rows.</summary>
    public static TheoryData<string, string> Reported => [.. Rows.Value.Select(row => (row.Study, row.Size)).Distinct()];

    /// <summary>
    /// Every row counts but those of runs that the study has no more, and the page says how many these are: a row whose definition or text
    /// is not today's would drop out of the tables.
    /// </summary>
    [Theory]
    [MemberData(nameof(Reported))]
    public void Page_IsWhatTheRowsSayToday_AndNoRowOfAPlannedRunIsLeftOut(string name, string sizeName)
    {
        var size = StudyLibrary.Size(sizeName);
        var study = Assert.Single(StudyLibrary.Studies, study => study.Name == name);
        var report = StudyReporting.Report(study, size, Folders, Rows.Value, TextIdentities.Read(Folders.Results));

        Assert.Equal(File.ReadAllText(Path.Combine(Folders.Results, name, report.FileName + ".md")), report.Markdown());
        var planned = StudyPlan.Of(study, size).Runs.Select(run => (run.RowArm, run.Seed)).ToHashSet();
        Assert.Equal(
            Rows.Value.Count(row => (row.Study, row.Size) == (name, sizeName) && !planned.Contains((row.Arm, row.Seed))),
            report.RowsLeftOut
        );
    }

    [Fact]
    public void Rows_AreThoseOfKnownStudies_SortedAndEachOnce()
    {
        // Folders without rows hold what no study measures: a run by hand, scores of benchmarks.
        var files = Directory.GetFiles(Folders.Results, "measurements.jsonl", SearchOption.AllDirectories);
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var study = Assert.Single(StudyLibrary.Studies, study => study.Name == Path.GetFileName(Path.GetDirectoryName(file)));
            var rows = MeasurementFile.Read(file);
            Assert.Equal(MeasurementFile.Sorted(rows), rows);
            Assert.All(rows, row => Assert.Equal((study.Name, 16), (row.Study, row.Inputs.Length)));
        }
    }
}
