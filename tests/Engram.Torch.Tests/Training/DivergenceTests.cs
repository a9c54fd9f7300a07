using System.Runtime.InteropServices;
using Engram.Storage;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>Training that leaves the range of numbers ends with one error, and what was saved before stays usable.</summary>
public sealed class DivergenceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Run => _folder.File("run");

    private string Checkpoint(int step) => Path.Combine(Run, "checkpoints", $"{step:00000000}");

    [Fact]
    public void Exploding_loss_names_update_and_remedy_and_leaves_the_checkpoint()
    {
        // The first update throws the weights far away but not out of range; the next four, half of the nine, find the losses it makes.
        var error = Assert.Throws<TrainingDivergedException>(() =>
            TinyRun.Train(TinyRun.Setup(Run, TinyRun.Options with { LearningRate = 10, WeightDecay = 0, CheckpointEvery = 1 }))
        );
        Assert.Matches("^Training diverged at update 5: the loss is [0-9E+.]+, and above 7\\.24 since 4 updates\\. ", error.Message);
        Assert.EndsWith(
            "The checkpoint of update 1 is intact; lower the learning rate or lengthen the warm-up, in a new run folder.",
            error.Message
        );
        using var model = Engram.Torch.LanguageModel.Load(Checkpoint(1));
        Assert.Equal(["00000001"], Directory.GetDirectories(Path.Combine(Run, "checkpoints")).Select(Path.GetFileName));
        Assert.Equal(4, TinyRun.Metrics(Run).Count(line => line.Contains("learning_rate", StringComparison.Ordinal)));
    }

    /// <summary>An update alone, far above what a healthy model has, is passed over; so many in a row are not.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(9, 4)]
    [InlineData(19, 9)]
    [InlineData(20, 10)]
    [InlineData(50_000, 10)]
    public void Only_losses_above_the_limit_in_a_row_are_an_explosion(long steps, int patience)
    {
        var watch = new LossWatch(300, TinyRun.Options with { Steps = steps, WarmupSteps = 2 });
        Assert.Equal(patience, watch.Patience);
        Assert.Equal(Math.Log(300) + 5, watch.Limit(2));
        Assert.Equal(Math.Log(300) + 1, watch.Limit(3));
        var (high, low) = (Math.Log(300) + 1.01, Math.Log(300) + 0.99);
        for (var round = 0; round < 3; round++)
        {
            for (var i = 1; i < patience; i++)
            {
                watch.Add(3, high);
                Assert.False(watch.Exploded);
            }
            watch.Add(3, low);
            Assert.Equal(0, watch.Above);
        }
        for (var i = 1; i <= patience; i++)
            watch.Add(i == 1 ? 2 : 3, i == 1 ? high + 4 : high);
        Assert.True(watch.Exploded);
    }

    [Fact]
    public void While_the_loss_is_above_the_limit_no_checkpoint_replaces_a_good_one()
    {
        // Cancelled in the third of four updates above the limit.
        Assert.Null(
            TinyRun.Train(
                TinyRun.Setup(Run, TinyRun.Options with { LearningRate = 10, WeightDecay = 0, CheckpointEvery = 1, KeepCheckpoints = 1 }),
                stop: 4
            )
        );
        Assert.Equal(["00000001"], Directory.GetDirectories(Path.Combine(Run, "checkpoints")).Select(Path.GetFileName));
    }

    [Fact]
    public void Weights_that_are_no_numbers_never_become_a_checkpoint()
    {
        var error = Assert.Throws<TrainingDivergedException>(() =>
            TinyRun.Train(TinyRun.Setup(Run, RowsBeyondFloat with { CheckpointEvery = 1, KeepCheckpoints = 1 }))
        );
        Assert.StartsWith(
            "Training diverged at update 1: model.layers.1.engram.embed.weight holds a value that is not finite. No checkpoint was "
                + "written yet;",
            error.Message
        );
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Run, "checkpoints")));
    }

    [Fact]
    public void Weights_that_are_no_numbers_never_become_the_model()
    {
        var error = Assert.Throws<TrainingDivergedException>(() =>
            TinyRun.Train(TinyRun.Setup(Run, RowsBeyondFloat with { Steps = 1, ValidateEvery = 0 }))
        );
        Assert.StartsWith(
            "Training diverged at update 1: the validation loss is NaN. No checkpoint was written yet; lower the learning rate",
            error.Message
        );
        Assert.False(Directory.Exists(Path.Combine(Run, "model")));
        Assert.Null(TrainingResult.Read(Run));
    }

    [Theory]
    [InlineData("model.embed_tokens.weight")]
    [InlineData("model.layers.2.engram.wkv.weight")]
    [InlineData("model.layers.3.hc_attn_fn")]
    public void Resumed_from_weights_beyond_computing_it_diverges_and_leaves_the_checkpoint(string tensor)
    {
        Assert.Null(TinyRun.Train(TinyRun.Setup(Run), stop: 2));
        Overwrite(Path.Combine(Checkpoint(2), "model.safetensors"), tensor, 3e38f);
        var before = TinyRun.Files(Checkpoint(2));
        var error = Assert.Throws<TrainingDivergedException>(() => TinyRun.Train(TinyRun.Setup(Run, resume: true)));
        Assert.StartsWith("Training diverged at update 3: ", error.Message);
        Assert.Contains("The checkpoint of update 2 is intact", error.Message);
        Assert.Equal(before, TinyRun.Files(Checkpoint(2)));
    }

    [Fact]
    public void Resumed_from_weights_that_are_no_numbers_names_file_and_tensor()
    {
        Assert.Null(TinyRun.Train(TinyRun.Setup(Run), stop: 2));
        var path = Path.Combine(Checkpoint(2), "model.safetensors");
        Overwrite(path, "model.norm.weight", float.NaN);
        var error = Assert.Throws<InvalidDataException>(() => TinyRun.Train(TinyRun.Setup(Run, resume: true)));
        Assert.Equal($"{path}: tensor 'model.norm.weight' holds a value that is not finite.", error.Message);
    }

    private static TrainingOptions RowsBeyondFloat => TinyRun.Options with { TableLearningRateMultiplier = 1e42 };

    private static void Overwrite(string path, string tensor, float value)
    {
        long start,
            count;
        using (var file = SafetensorsFile.Open(path))
            (start, count) = (file.Tensors[tensor].Offset, file.Tensors[tensor].ByteLength / sizeof(float));
        var bytes = File.ReadAllBytes(path);
        MemoryMarshal.Cast<byte, float>(bytes.AsSpan((int)start, (int)count * sizeof(float))).Fill(value);
        File.WriteAllBytes(path, bytes);
    }
}
