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
        // The first update throws the weights far away but not out of range; the second finds the loss it makes.
        var error = Assert.Throws<TrainingDivergedException>(() => TinyRun.Train(TinyRun.Setup(Run, TinyRun.Options with { LearningRate = 1e6, CheckpointEvery = 1 })));
        Assert.StartsWith("Training diverged at update 2: the loss is ", error.Message);
        Assert.EndsWith("The checkpoint of update 1 is intact; lower the learning rate or lengthen the warm-up, in a new run folder.", error.Message);
        using var model = Engram.Torch.LanguageModel.Load(Checkpoint(1));
        Assert.Equal(["00000001"], Directory.GetDirectories(Path.Combine(Run, "checkpoints")).Select(Path.GetFileName));
        Assert.Single(TinyRun.Metrics(Run));
    }

    [Fact]
    public void Weights_that_are_no_numbers_never_become_a_checkpoint()
    {
        var error = Assert.Throws<TrainingDivergedException>(() => TinyRun.Train(TinyRun.Setup(Run, RowsBeyondFloat with { CheckpointEvery = 1, KeepCheckpoints = 1 })));
        Assert.StartsWith("Training diverged at update 1: model.layers.1.engram.embed.weight holds a value that is not finite. No checkpoint was written yet;", error.Message);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Run, "checkpoints")));
    }

    [Fact]
    public void Weights_that_are_no_numbers_never_become_the_model()
    {
        var error = Assert.Throws<TrainingDivergedException>(() => TinyRun.Train(TinyRun.Setup(Run, RowsBeyondFloat with { Steps = 1, ValidateEvery = 0 })));
        Assert.StartsWith("Training diverged at update 1: the validation loss is NaN. No checkpoint was written yet; lower the learning rate", error.Message);
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
        long start, count;
        using (var file = SafetensorsFile.Open(path))
            (start, count) = (file.Tensors[tensor].Offset, file.Tensors[tensor].ByteLength / sizeof(float));
        var bytes = File.ReadAllBytes(path);
        MemoryMarshal.Cast<byte, float>(bytes.AsSpan((int)start, (int)count * sizeof(float))).Fill(value);
        File.WriteAllBytes(path, bytes);
    }
}
