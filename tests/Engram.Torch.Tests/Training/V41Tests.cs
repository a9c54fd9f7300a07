using Engram.Evaluation.Losses;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Tests.Storage;
using Engram.Torch.Generation;

namespace Engram.Torch.Tests.Training;

/// <summary>The preset of the V4.1 variant from training to text.</summary>
public sealed class V41Tests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Preset_is_the_variant()
    {
        var engram = Presets.Load("tiny-v41").Engram!;
        Assert.Equal((4, 0, EngramGate.CopySignSqrt, (double?)null), (engram.MaxNgramSize, engram.ConvKernel, engram.Gate, engram.NormEps));
        Assert.Equal([61L, 61L, 61L], engram.SlotsPerOrder);
        Assert.Equal([1], engram.DeadTokenIds);
        // Keys of 4 streams and the value in one matrix, the norms' gains; no convolution.
        using var model = LanguageModel.Create(Presets.Load("tiny-v41"), TinyCorpus.Shared.Tokenizer, seed: 1);
        Assert.Equal(
            ["k_weight", "q_weight", "wkv.weight"],
            model
                .Transformer.Parameters.All.Select(parameter => parameter.Name)
                .Where(name => name.StartsWith("model.layers.1.engram.", StringComparison.Ordinal))
                .Select(name => name["model.layers.1.engram.".Length..])
                .Order(StringComparer.Ordinal)
        );
        Assert.Equal([5 * 64, 6 * 32], model.Transformer.Parameters["model.layers.1.engram.wkv.weight"].Tensor.shape);
    }

    [Fact]
    public void Trained_saved_and_loaded_it_gives_one_loss_and_one_text_wherever_its_tables_live()
    {
        var setup = TinyRun.Setup(_folder.File("run"), TinyRun.Options with { Steps = 12, LearningRate = 1e-2 }) with
        {
            Configuration = TinyRun.V41(40, 41, 42),
        };
        var result = TinyRun.Train(setup)!;
        using var model = LanguageModel.Load(result.ModelFolder);
        using var mapped = LanguageModel.Load(result.ModelFolder, memory: new MemoryOptions { Tables = TableLocation.Mapped });
        Assert.Equal(
            setup.Configuration.Engram! with
            {
                CompressedVocabularySize = model.Memory!.Map.CanonicalVocabularySize,
            },
            model.Configuration.Engram
        );
        var loss = Loss(model);
        Assert.Equal(result.ValidationLoss, loss, 1e-6);
        using var untrained = LanguageModel.Create(setup.Configuration, TinyCorpus.Shared.Tokenizer, setup.Options.Seed);
        Assert.InRange(loss, 0, Loss(untrained) - 1);
        Assert.Equal(loss, Loss(mapped));
        Assert.Equal(Text(model), Text(mapped));
    }

    private static double Loss(LanguageModel model) =>
        ValidationLoss.Measure(model, TinyCorpus.Shared, TinyRun.Options.Length, TinyRun.Options.ValidationSequences, model.Memory).Nats;

    private static string Text(LanguageModel model) =>
        string.Concat(new TextGenerator(model).Stream("kalo mine", new SamplingOptions { Seed = 2, MaxNewTokens = 20 }, model.Memory));
}
