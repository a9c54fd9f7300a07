using Engram.Corpora;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>An update without a run is the update of a run.</summary>
public sealed class TrainingStepTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Updates_give_the_weights_of_a_run(int accumulation)
    {
        var options = TinyRun.Options with { Steps = 3, AccumulationSteps = accumulation };
        var setup = TinyRun.Setup(_folder.File("run"), options);
        var result = TinyRun.Train(setup)!;

        using var model = LanguageModel.Create(
            TinyRun.Configuration,
            TinyCorpus.Shared.Tokenizer,
            options.Seed,
            device: null,
            trainingFolder: null,
            RunIdentity.Of(setup)
        );
        using (var step = new TrainingStep(model, options))
        {
            var batch = new StepBatch(options.Sequences * accumulation, options.Length);
            var sampler = new BatchSampler(TinyCorpus.Shared, options.Length, (ulong)options.Seed);
            for (var update = 1; update <= options.Steps; update++)
            {
                sampler.Next(batch.Tokens);
                model.Memory!.Address(batch.Tokens.Inputs, batch.Tokens.DocumentStarts, batch.Tokens.Sequences, batch.Rows);
                var outcome = step.Update(batch, options.LearningRates.At(update));
                Assert.Null(outcome.NonFinite);
                Assert.InRange(outcome.Loss, 1, Math.Log(300) + 1);
                Assert.True(outcome.GradientNorm > 0);
                Assert.All(
                    new[] { step.Times.Forward, step.Times.Backward, step.Times.Clipping, step.Times.Dense },
                    seconds => Assert.True(seconds > 0)
                );
            }
        }

        model.Save(_folder.File("model"));
        new TrainingNote(options.Length).Write(_folder.File("model"));
        TinyRun.AssertSameFiles(result.ModelFolder, _folder.File("model"));
    }

    [Fact]
    public void What_is_not_finite_changes_no_weight()
    {
        using var model = LanguageModel.Create(TinyRun.Configuration, TinyCorpus.Shared.Tokenizer, seed: 1);
        using var step = new TrainingStep(model, TinyRun.Options);
        var batch = new StepBatch(TinyRun.Options.Sequences, TinyRun.Options.Length);
        new BatchSampler(TinyCorpus.Shared, TinyRun.Options.Length, 1).Next(batch.Tokens);
        model.Memory!.Address(batch.Tokens.Inputs, batch.Tokens.DocumentStarts, batch.Tokens.Sequences, batch.Rows);
        using (TorchSharp.torch.no_grad())
            model.Transformer.Parameters["model.norm.weight"].Tensor.fill_(float.NaN);
        model.Save(_folder.File("before"));
        Assert.Equal("the loss is NaN", step.Update(batch, 0.1).NonFinite);
        model.Save(_folder.File("after"));
        TinyRun.AssertSameFiles(_folder.File("before"), _folder.File("after"));
    }

    /// <summary>
    /// What a half-made trainer had opened is closed: nothing of the run stays mapped, and the folder is free for the next attempt.
    /// </summary>
    [Theory]
    [InlineData("checkpoints/00000004/training/optimizer.safetensors")]
    [InlineData("checkpoints/00000004/training/table-02.safetensors")]
    [InlineData("checkpoints/00000004/model.safetensors")]
    [InlineData("tables/layer-02.state.safetensors")]
    public void Trainer_that_cannot_begin_lets_everything_go(string damaged)
    {
        // none before it to fall back to
        var (run, options) = (_folder.File("run"), TinyRun.Options with { Tables = TableLocation.Mapped, KeepCheckpoints = 1 });
        Assert.Null(TinyRun.Train(TinyRun.Setup(run, options), stop: 4));
        var file = Path.Combine(run, damaged);
        var intact = File.ReadAllBytes(file);
        File.WriteAllBytes(file, intact[..^1]);
        var error = Assert.Throws<InvalidDataException>(() => TinyRun.Train(TinyRun.Setup(run, options, resume: true)));
        Assert.Contains(file, error.Message);
        if (OperatingSystem.IsLinux())
            Assert.DoesNotContain(run, File.ReadAllText("/proc/self/maps"));
        File.WriteAllBytes(file, intact);
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(run, options, resume: true)));
    }
}
