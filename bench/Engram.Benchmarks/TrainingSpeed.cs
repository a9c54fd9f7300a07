using System.Diagnostics;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Torch;
using Engram.Training;

namespace Engram.Benchmarks;

/// <summary>One model that is trained step by step beside others, so that their times can be compared pair by pair.</summary>
internal sealed class TrainingSpeed : IDisposable
{
    private const double LearningRate = 1e-3;

    private readonly LanguageModel _model;
    private readonly TrainingStep _step;
    private readonly BatchSampler _sampler;
    private readonly StepBatch _batch;

    public TrainingSpeed(string name, ModelConfiguration configuration, PreparedCorpus corpus, int sequences, int length)
    {
        Name = name;
        _model = LanguageModel.Create(configuration, corpus.Tokenizer, seed: 1);
        _step = new TrainingStep(
            _model,
            new TrainingOptions
            {
                Steps = 1,
                Sequences = sequences,
                Length = length,
                LearningRate = LearningRate,
            }
        );
        _sampler = new BatchSampler(corpus, length, seed: 1);
        _batch = new StepBatch(sequences, length);
        Plan = ModelPlan.Of(_model.Configuration, length);
    }

    public string Name { get; }

    public ModelPlan Plan { get; }

    public int TokensPerStep => _batch.Tokens.Inputs.Length;

    public double UsefulFlopsPerStep => Trainer.UsefulFlopsPerToken(_model.Configuration) * TokensPerStep;

    public List<double> Seconds { get; } = [];

    /// <summary>Where the seconds of every update went.</summary>
    public List<StepTimes> Parts { get; } = [];

    /// <summary>One update with everything that training does: data, addresses, and the step.</summary>
    public void Step()
    {
        var clock = Stopwatch.StartNew();
        var tokens = _batch.Tokens;
        _sampler.Next(tokens);
        _model.Memory?.Address(tokens.Inputs, tokens.DocumentStarts, tokens.Sequences, _batch.Rows);
        _step.Update(_batch, LearningRate);
        Seconds.Add(clock.Elapsed.TotalSeconds);
        Parts.Add(_step.Times);
    }

    public void Dispose()
    {
        _step.Dispose();
        _model.Dispose();
    }
}
