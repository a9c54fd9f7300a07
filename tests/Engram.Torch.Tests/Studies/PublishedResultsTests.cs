using Engram.Studies.Definitions;
using Engram.Studies.Results;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Studies;

/// <summary>The rows in docs/results, from which a fresh machine reports.</summary>
public sealed class PublishedResultsTests
{
    [Fact]
    public void Rows_AreThoseOfKnownStudies_SortedAndEachOnce()
    {
        // Folders without rows hold what no study measures: a run by hand, scores of benchmarks.
        var files = Directory.GetFiles(Path.Combine(Repository.Root, "docs", "results"), "measurements.jsonl", SearchOption.AllDirectories);
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
