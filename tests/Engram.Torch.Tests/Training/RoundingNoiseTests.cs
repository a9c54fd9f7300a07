using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Torch.Tests.Layers;
using Engram.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Training;

/// <summary>
/// A matrix whose gradient is zero but for rounding stays where it is, and one whose gradient is small but true does not.
/// </summary>
[OneThread]
public sealed class RoundingNoiseTests
{
    /// <summary>
    /// Streams are equal until the first update, and mixing equal streams is no mixing. At the entry of the model they stay equal.
    /// </summary>
    [Theory]
    [InlineData("tiny"), InlineData("tiny-engram"), InlineData("quickstart-engram"), InlineData("quickstart-moe")]
    public void Mixing_of_equal_streams_does_not_move(string preset)
    {
        var configuration = VocabularyFit.Fit(Presets.Load(preset), TinyCorpus.Shared);
        using var run = new Run(configuration);
        run.Update();
        for (var layer = 0; layer < configuration.NumHiddenLayers; layer++)
            foreach (var part in (string[])["attn", "ffn"])
                if (layer == 0 || configuration.Engram is null)
                    TensorAssert.Zero(run.Mixing(layer, part), $"mixing of layer {layer}, {part}, after the first update");

        for (var update = 2; update <= 10; update++)
            run.Update();
        TensorAssert.Zero(run.Mixing(0, "attn"), "mixing at the entry of the model");
        using var scope = NewDisposeScope();
        for (var layer = 0; layer < configuration.NumHiddenLayers; layer++)
        {
            // Reading and writing matter from the start, mixing as soon as streams differ.
            Assert.True(
                run.Parameter($"model.layers.{layer}.hc_attn_fn").narrow(0, 0, 2 * configuration.HcMult).abs().max().item<float>() > 1e-3f,
                $"layer {layer}"
            );
            Assert.True(run.Mixing(layer, "ffn").abs().max().item<float>() > 1e-3f, $"layer {layer}");
        }
    }

    [Theory]
    [InlineData(1, false), InlineData(2, true)]
    public void A_router_of_one_normalised_expert_does_not_move(int experts, bool moves)
    {
        using var scope = NewDisposeScope();
        using var run = new Run(VocabularyFit.Fit(Presets.Load("tiny-engram"), TinyCorpus.Shared) with { NumExpertsPerToken = experts });
        var before = run.Parameter("model.layers.1.mlp.gate.weight").detach().clone();
        var decay = 1.0;
        for (var update = 0; update < 3; update++)
            decay *= 1 - run.Update() * Run.Options.WeightDecay;
        var difference = (run.Parameter("model.layers.1.mlp.gate.weight") - before * decay).abs().max().item<float>();
        Assert.True(moves ? difference > 1e-3f : difference < 1e-7f, $"{difference}");
    }

    private sealed class Run : IDisposable
    {
        private readonly LanguageModel _model;
        private readonly TrainingStep _step;
        private readonly StepBatch _batch = new(Options.Sequences, Options.Length);
        private readonly BatchSampler _sampler = new(TinyCorpus.Shared, Options.Length, seed: 1);
        private long _updates;

        public Run(ModelConfiguration configuration)
        {
            _model = LanguageModel.Create(configuration, TinyCorpus.Shared.Tokenizer, seed: 1);
            _step = new TrainingStep(_model, Options);
        }

        public static TrainingOptions Options { get; } = TinyRun.Options with { Steps = 20, LearningRate = 1e-2, WarmupSteps = 0 };

        public Tensor Parameter(string name) => _model.Transformer.Parameters[name].Tensor;

        /// <summary>The rows of a connection's map that make the weights of the mixing, [n², n·D]; zero before training.</summary>
        public Tensor Mixing(int layer, string part)
        {
            var n = _model.Configuration.HcMult;
            return Parameter($"model.layers.{layer}.hc_{part}_fn").narrow(0, 2 * n, n * n);
        }

        /// <summary>Makes an update. Returns its learning rate.</summary>
        public double Update()
        {
            _sampler.Next(_batch.Tokens);
            _model.Memory?.Address(_batch.Tokens.Inputs, _batch.Tokens.DocumentStarts, _batch.Tokens.Sequences, _batch.Rows);
            var rate = Options.LearningRates.At(++_updates);
            _step.Update(_batch, rate);
            return rate;
        }

        public void Dispose()
        {
            _step.Dispose();
            _model.Dispose();
        }
    }
}
