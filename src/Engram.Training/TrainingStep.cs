using System.Diagnostics;
using Engram.Models.Configuration;
using Engram.Torch;
using Engram.Torch.Memory;
using Engram.Torch.Native;
using Engram.Training.Optimizers;
using static TorchSharp.torch;

namespace Engram.Training;

/// <summary>What one update did.</summary>
/// <param name="Loss">Mean cross-entropy over the micro-batches before the update, nats per token.</param>
/// <param name="GradientNorm">Global gradient norm before clipping, tables included.</param>
/// <param name="NonFinite">
/// What is no finite number, as the end of a sentence; null if everything is finite. If set, no weight was changed.
/// </param>
internal readonly record struct StepOutcome(double Loss, double GradientNorm, string? NonFinite = null);

/// <summary>Seconds of the parts of an update, over all its micro-batches.</summary>
/// <param name="Forward">Forward passes and losses.</param>
/// <param name="Backward">Backward passes.</param>
/// <param name="Clipping">The global norm, and scaling by it.</param>
/// <param name="Dense">The optimizer of the dense parameters.</param>
internal readonly record struct StepTimes(double Forward, double Backward, double Clipping, double Dense);

/// <summary>
/// One optimizer update of a model as a function of a batch: gradients are summed over the micro-batches, clipped together, and applied to
/// dense parameters, tables and balancing biases. It knows nothing of runs, folders and cadence: <see cref="Trainer"/>, benchmarks and
/// tests make their updates here.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly LanguageModel _model;
    private readonly TrainingOptions _options;
    private readonly FrozenParts _frozen;

    /// <param name="model">What is trained; stays the caller's.</param>
    /// <param name="options">
    /// Sequences, length and number of the micro-batches, clipping, optimizers. What concerns a run is not read.
    /// </param>
    public TrainingStep(LanguageModel model, TrainingOptions options)
    {
        (_model, _options, _frozen) = (model, options, new FrozenParts(model, options.Frozen ?? []));
        Optimizer = new DenseOptimizer(model.Transformer.Parameters.All, options.DenseOptimizer);
        try
        {
            if (
                model.Memory is { } memory
                && options.TableLearningRateMultiplier > 0
                && model.Configuration.Engram!.Tables == EngramTables.Trained
                && !memory.LayerIds.All(_frozen.HoldsTable)
            )
                Tables = new TableTrainer(memory, options, _frozen.HoldsTable);
        }
        catch
        {
            Optimizer.Dispose();
            throw;
        }
    }

    /// <summary>Of the dense parameters.</summary>
    public DenseOptimizer Optimizer { get; }

    /// <summary>Of the tables; null where none is trained.</summary>
    public TableTrainer? Tables { get; }

    /// <summary>Where the time of the last update went.</summary>
    public StepTimes Times { get; private set; }

    /// <summary>Makes one update.</summary>
    /// <param name="batch">All micro-batches, one after the other.</param>
    /// <param name="learningRate">Of the dense parameters; the tables' is a multiple of it.</param>
    public StepOutcome Update(StepBatch batch, double learningRate)
    {
        var (parts, loss) = (_options.AccumulationSteps, 0.0);
        Times = default;
        Tables?.Begin(batch.Rows);
        for (var part = 0; part < parts; part++)
            loss += Accumulate(batch, part) / parts;
        var outcome = Apply(loss, learningRate);
        Optimizer.ClearGradients();
        return outcome;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Tables?.Dispose();
        Optimizer.Dispose();
    }

    private StepOutcome Apply(double loss, double learningRate)
    {
        if (!double.IsFinite(loss))
            return new StepOutcome(loss, double.NaN, $"the loss is {loss}");
        var began = Stopwatch.GetTimestamp();
        var clipped = GradientClipping.Apply(Optimizer.Parameters, _options.ClipNorm, Tables?.SumOfSquares() ?? 0);
        if (clipped.NonFinite is { } culprit)
            return new StepOutcome(loss, clipped.Norm, $"the gradient of {culprit} is not finite");
        var clipping = Seconds(ref began);
        Optimizer.Step(learningRate, clipped.Norm * clipped.Factor);
        Times = Times with { Clipping = clipping, Dense = Seconds(ref began) };
        Tables?.Step(learningRate * _options.TableLearningRateMultiplier, clipped.Factor);
        _model.Transformer.UpdateRouterBiases(_frozen.Holds);
        return new StepOutcome(loss, clipped.Norm);
    }

    /// <summary>Forward and backward pass of one micro-batch. Returns its mean loss.</summary>
    private double Accumulate(StepBatch batch, int part)
    {
        using var scope = NewDisposeScope();
        var (sequences, length) = (_options.Sequences, _options.Length);
        var tokens = sequences * length;
        var range = new Range(part * tokens, (part + 1) * tokens);
        var transformer = _model.Transformer;
        using var memory = _model.Memory?.Gather(
            batch.Rows,
            part * sequences,
            sequences,
            length,
            transformer.Parameters.Device,
            requiresGradient: Tables is not null
        );
        var began = Stopwatch.GetTimestamp();
        var (hidden, auxiliary) = transformer.Forward(
            batch.Tokens.Inputs.AsSpan(range),
            batch.Tokens.DocumentStarts.AsSpan(range),
            sequences,
            memory,
            training: true
        );
        var loss = transformer.Loss(hidden, _options.AccumulationSteps == 1 ? batch.Tokens.Targets : batch.Tokens.Targets[range]);
        var objective = auxiliary is null ? loss : loss.Plus(auxiliary);
        if (_options.AccumulationSteps > 1)
            objective = objective.Times(1.0 / _options.AccumulationSteps);
        var forward = Times.Forward + Seconds(ref began);
        objective.backward();
        Times = Times with { Forward = forward, Backward = Times.Backward + Seconds(ref began) };
        if (memory is not null)
            Tables?.Accumulate(memory, part * tokens, tokens);
        return loss.Value();
    }

    private static double Seconds(ref long began)
    {
        var now = Stopwatch.GetTimestamp();
        var seconds = Stopwatch.GetElapsedTime(began, now).TotalSeconds;
        began = now;
        return seconds;
    }
}
