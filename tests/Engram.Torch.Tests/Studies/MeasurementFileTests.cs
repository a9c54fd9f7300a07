using Engram.Studies.Results;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Studies;

public sealed class MeasurementFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("measurements.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Rows_ComeBack_ToTheLastBit()
    {
        Measurement[] rows = [Row("a", 1, "loss", 0.1 + 0.2), Row("a", 2, "loss", double.Epsilon)];
        MeasurementFile.Append(Path, rows[..1]);
        MeasurementFile.Append(Path, rows[1..]);

        Assert.Equal(rows, MeasurementFile.Read(Path));
        Assert.Empty(MeasurementFile.Read(_folder.File("nothing.jsonl")));
    }

    [Fact]
    public void TornLine_IsLeftOut_AndRemovedByTheNextAppend()
    {
        MeasurementFile.Append(Path, [Row("a", 1, "loss", 3)]);
        File.AppendAllText(Path, "{\"study\":\"s\",\"si");

        Assert.Single(MeasurementFile.Read(Path));
        MeasurementFile.Append(Path, [Row("a", 2, "loss", 4)]);
        Assert.Equal([3, 4], MeasurementFile.Read(Path).Select(row => row.Value));
    }

    [Fact]
    public void Sorted_HasEachKeyOnce_WithItsLastValue_WhateverTheOrder()
    {
        Measurement[] rows =
        [
            Row("b", 1, "loss", 1),
            Row("a", 2, "loss", 2),
            Row("a", 1, "loss", 9),
            Row("a", 1, "bits", 4),
            Row("a", 1, "loss", 3),
        ];

        MeasurementFile.WriteSorted(Path, rows);

        Assert.Equal([4, 3, 2, 1], MeasurementFile.Read(Path).Select(row => row.Value));
        var once = File.ReadAllText(Path);
        MeasurementFile.WriteSorted(Path, MeasurementFile.Read(Path).Reverse());
        Assert.Equal(once, File.ReadAllText(Path));
    }

    [Fact]
    public void DamagedLine_IsNamed()
    {
        File.WriteAllText(Path, "{\"study\":1}\n");

        Assert.Contains(
            "measurements.jsonl: line 1 is no measurement",
            Assert.Throws<InvalidDataException>(() => MeasurementFile.Read(Path)).Message
        );
    }

    private static Measurement Row(string arm, long seed, string measure, double value) =>
        new("s", "smoke", arm, seed, measure, value, "0123456789abcdef");

    [Fact]
    public void Rows_AppendedAtTheSameTime_AreAllThere()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("rows.jsonl");

        Parallel.For(
            0,
            8,
            writer =>
            {
                for (var seed = 0; seed < 20; seed++)
                {
                    MeasurementFile.Append(path, [new Measurement("study", "smoke", $"a/{writer}", seed, "loss", 1, "")]);
                    Assert.NotEmpty(MeasurementFile.Read(path));
                }
            }
        );

        Assert.Equal(160, MeasurementFile.Read(path).Select(row => row.Key).Distinct().Count());
    }
}
