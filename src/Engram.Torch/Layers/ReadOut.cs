using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T positions   N = B·T   n residual streams   D hidden width   V vocabulary

/// <summary>
/// From the residual streams behind the last block to logits and losses: exit (the mean of the streams, or a learnt head), final norm,
/// vocabulary matrix.
/// </summary>
internal sealed class ReadOut
{
    // Rows whose logits the twin has at once.
    private const int TwinRows = 1024;

    private readonly ModelConfiguration _configuration;
    private readonly StreamHead? _exit;
    private readonly Parameter _finalGain;
    private readonly Parameter _head;

    /// <summary>Registers the parameters.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="embedding">The token embedding, which is the head where both are tied.</param>
    /// <param name="parameters">Where they are registered.</param>
    public ReadOut(ModelConfiguration configuration, Parameter embedding, ModelParameters parameters)
    {
        _configuration = configuration;
        _exit = configuration.HcExit == StreamExit.Head ? new StreamHead(configuration, "model.hc_head", parameters) : null;
        _finalGain = parameters.Add("model.norm.weight", [configuration.HiddenSize], ParameterRole.Vector, InitialValue.Constant(1));
        _head = configuration.TieWordEmbeddings
            ? embedding
            : parameters.Add(
                "lm_head.weight",
                [configuration.VocabularySize, configuration.HiddenSize],
                ParameterRole.Vocabulary,
                InitialValue.Normal(configuration.InitializerRange)
            );
    }

    /// <summary>Exit and final norm: [B, T, n, D] → [N, D].</summary>
    public Tensor Hidden(Tensor streams)
    {
        using var scope = NewDisposeScope();
        var x =
            _exit is not null ? _exit.Forward(streams)
            : _configuration.HcMult > 1 ? streams.mean([2L])
            : streams.squeeze(2);
        return Normed(x).MoveToOuterDisposeScope();
    }

    /// <summary>The same of the mean of the streams, whatever the exit.</summary>
    public Tensor HiddenOfMean(Tensor streams)
    {
        using var scope = NewDisposeScope();
        return Normed(streams.mean([2L])).MoveToOuterDisposeScope();
    }

    /// <summary>Hidden [N, D] → [N, V].</summary>
    public Tensor Logits(Tensor hidden) => nn.functional.linear(hidden, _head);

    /// <summary>Mean cross-entropy of hidden [N, D] against one target id per row, in nats.</summary>
    public Tensor Loss(Tensor hidden, int[] targets)
    {
        Check(hidden, targets);
        using var scope = NewDisposeScope();
        var loss = Fused.Or(
            hidden,
            kernel: () => LinearCrossEntropyKernel.Apply(hidden, _head, targets),
            twin: () => nn.functional.cross_entropy(Logits(hidden), tensor(targets, ScalarType.Int64, hidden.device))
        );
        return loss.MoveToOuterDisposeScope();
    }

    /// <summary>Cross-entropy of each row of hidden [N, D], in nats. No gradient flows.</summary>
    public double[] Losses(Tensor hidden, int[] targets)
    {
        Check(hidden, targets);
        return Fused.Or(
            hidden,
            kernel: () => LinearCrossEntropyKernel.Losses(hidden, _head, targets),
            twin: () => LossesComposed(hidden, targets)
        );
    }

    private Tensor Normed(Tensor x) => RmsNorm.Apply(x.reshape(-1, _configuration.HiddenSize), _finalGain, _configuration.RmsNormEps);

    private double[] LossesComposed(Tensor hidden, int[] targets)
    {
        using var noGrad = no_grad();
        var losses = new List<double>(targets.Length);
        foreach (var part in targets.Chunk(TwinRows))
        {
            using var scope = NewDisposeScope();
            var wanted = tensor(part, ScalarType.Int64, hidden.device);
            var each = nn.functional.cross_entropy(
                Logits(hidden.narrow(0, losses.Count, part.Length)),
                wanted,
                reduction: nn.Reduction.None
            );
            losses.AddRange(each.to(ScalarType.Float64).cpu().data<double>());
        }

        return [.. losses];
    }

    private void Check(Tensor hidden, int[] targets)
    {
        if (targets.Length != hidden.size(0))
            throw new ArgumentException($"{targets.Length} targets do not fit hidden states of {hidden.size(0)} rows.", nameof(targets));
        foreach (var target in targets)
            if ((uint)target >= (uint)_configuration.VocabularySize)
                throw new ArgumentOutOfRangeException(
                    nameof(targets),
                    target,
                    $"Target id {target} is not below the vocabulary size {_configuration.VocabularySize}."
                );
    }
}
