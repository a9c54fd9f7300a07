using Engram.Torch.Memory;
using System.Diagnostics;
using Engram.Torch;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Training;
using Engram.Corpora;
using Engram.Training.Optimizers;
using TorchSharp;

namespace Engram.Benchmarks;

/// <summary>One model that is trained step by step beside others, so that their times can be compared pair by pair.</summary>
internal sealed class TrainingSpeed : IDisposable
{
    private readonly LanguageModel _model;
    private readonly DenseOptimizer _optimizer;
    private readonly TableTrainer? _tables;
    private readonly BatchSampler _sampler;
    private readonly TokenBatch _batch;
    private readonly MemoryRows _rows = new();

    public TrainingSpeed(string name, ModelConfiguration configuration, PreparedCorpus corpus, int sequences, int length)
    {
        Name = name;
        _model = LanguageModel.Create(configuration, corpus.Tokenizer, seed: 1);
        _optimizer = new DenseOptimizer(_model.Transformer.Parameters.All, new DenseOptimizerOptions());
        _tables = _model.Memory is null ? null : new TableTrainer(_model.Memory, new TrainingOptions { Steps = 1, LearningRate = 1 }, working: null);
        _sampler = new BatchSampler(corpus, length, seed: 1);
        _batch = new TokenBatch(sequences, length);
        Plan = ModelPlan.Of(_model.Configuration, length);
    }

    public string Name { get; }

    public ModelPlan Plan { get; }

    public int TokensPerStep => _batch.Inputs.Length;

    public double UsefulFlopsPerStep => Trainer.UsefulFlopsPerToken(_model.Configuration) * TokensPerStep;

    public List<double> Seconds { get; } = [];

    /// <summary>Seconds of every update in the forward pass with the loss, the backward pass, clipping, and the optimizer of the dense parameters.</summary>
    public List<(double Forward, double Backward, double Clipping, double Optimizer)> Parts { get; } = [];

    /// <summary>One update with everything that training does: data, addresses, gather, forward, backward, clipping, both optimizers.</summary>
    public void Step()
    {
        var clock = Stopwatch.StartNew();
        using var scope = torch.NewDisposeScope();
        _sampler.Next(_batch);
        _model.Memory?.Address(_batch.Inputs, _batch.DocumentStarts, _batch.Sequences, _rows);
        _tables?.Begin(_rows);
        using var memory = _model.Memory?.Gather(_rows, 0, _batch.Sequences, _batch.Length, torch.CPU, requiresGradient: true);
        var began = clock.Elapsed.TotalSeconds;
        var (hidden, _) = _model.Transformer.Forward(_batch.Inputs, _batch.DocumentStarts, _batch.Sequences, memory, training: true);
        var loss = _model.Transformer.Loss(hidden, _batch.Targets);
        var forward = clock.Elapsed.TotalSeconds;
        loss.backward();
        var backward = clock.Elapsed.TotalSeconds;
        if (memory is not null)
            _tables!.Accumulate(memory, 0, TokensPerStep);
        var accumulated = clock.Elapsed.TotalSeconds;
        var clipped = GradientClipping.Apply(_optimizer.Parameters, 1, _tables?.SumOfSquares() ?? 0);
        var clipping = clock.Elapsed.TotalSeconds;
        _optimizer.Step(1e-3);
        Parts.Add((forward - began, backward - forward, clipping - accumulated, clock.Elapsed.TotalSeconds - clipping));
        _tables?.Step(5e-3, clipped.Factor);
        _model.Transformer.UpdateRouterBiases();
        _optimizer.ClearGradients();
        Seconds.Add(clock.Elapsed.TotalSeconds);
    }

    public void Dispose()
    {
        _tables?.Dispose();
        _optimizer.Dispose();
        _model.Dispose();
    }
}
