using Engram.Studies.Definitions;
using Engram.Studies.Rows;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Studies;

/// <summary>The rows in docs/results, from which a fresh machine reports.</summary>
public sealed class PublishedResultsTests
{
    [Fact]
    public void Rows_AreThoseOfKnownStudies_SortedAndEachOnce()
    {
        var folders = Directory.GetDirectories(Path.Combine(Repository.Root, "docs", "results"));
        Assert.NotEmpty(folders);
        foreach (var folder in folders)
        {
            var study = Assert.Single(StudyLibrary.Studies, study => study.Name == Path.GetFileName(folder));
            var rows = MeasurementFile.Read(Path.Combine(folder, "measurements.jsonl"));
            Assert.Equal(MeasurementFile.Sorted(rows), rows);
            Assert.All(rows, row => Assert.Equal((study.Name, 16), (row.Study, row.Inputs.Length)));
        }
    }
}
