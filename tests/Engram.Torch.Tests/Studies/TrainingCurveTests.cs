using Engram.Studies.Measures;

namespace Engram.Torch.Tests.Studies;

public sealed class TrainingCurveTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("engram-curve-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_SeparatesTrainingAndValidation()
    {
        Write(
            """
            {"step":1,"tokens":1024,"loss":8.31,"learning_rate":0.001,"gradient_norm":2.5,"tokens_per_second":9000}
            {"step":2,"tokens":2048,"loss":7.5,"learning_rate":0.002,"gradient_norm":null,"tokens_per_second":9500.5}
            {"step":2,"validation_loss":7.25,"bits_per_byte":2.7}

            """
        );

        var curve = TrainingCurve.Read(_folder);

        Assert.Equal([new TrainingPoint(1, 1024, 8.31, 9000), new TrainingPoint(2, 2048, 7.5, 9500.5)], curve.Training);
        Assert.Equal([new ValidationPoint(2, 7.25, 2.7)], curve.Validation);
    }

    [Fact]
    public void Read_WhileTheLastLineIsBeingWritten_LeavesItOut()
    {
        Write("{\"step\":1,\"tokens\":8,\"loss\":8,\"tokens_per_second\":1}\n{\"step\":2,\"tok");

        Assert.Single(TrainingCurve.Read(_folder).Training);
    }

    [Fact]
    public void Read_BeforeTheFileIsThere_HasNoPoints() => Assert.Empty(TrainingCurve.Read(_folder).Training);

    [Fact]
    public void Read_LossThatIsNoNumber_IsNaN()
    {
        Write("{\"step\":1,\"tokens\":8,\"loss\":null,\"tokens_per_second\":1}\n");

        Assert.True(double.IsNaN(TrainingCurve.Read(_folder).Training[0].Loss));
    }

    [Theory]
    [InlineData("{\"step\":1,\"tokens\":8,\"loss\":3,\"tokens_per_second\":1}\nrubbish\n", "line 2")]
    [InlineData("{\"step\":1,\"loss\":3}\n", "line 1")]
    [InlineData("[]\n", "line 1")]
    [InlineData("{\"step\":\"one\",\"tokens\":8,\"loss\":3,\"tokens_per_second\":1}\n", "line 1")]
    public void Read_LineThatIsNoMeasurement_NamesFileAndLine(string text, string line)
    {
        Write(text);

        var error = Assert.Throws<InvalidDataException>(() => TrainingCurve.Read(_folder));

        Assert.Contains($"{TrainingCurve.FileName}: {line} ", error.Message);
    }

    private void Write(string text) => File.WriteAllText(Path.Combine(_folder, TrainingCurve.FileName), text);
}
