using Engram.Torch.Memory;
using System.Collections.Frozen;
using Engram.Models.Configuration;
using Engram.Torch.Generation;
using Engram.Torch.Inspection;
using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch;

// Shape letters: B sequences   T positions   N = B·T   n residual streams   D hidden width   V vocabulary

/// <summary>
/// The dense part of the model: embedding, blocks of latent attention and feed-forward or experts, memory fusion where the configuration puts
/// it, read-out. Dense, mixture-of-experts and Engram models are this class under three configurations. Tables are not here: the rows of a
/// batch come in as <see cref="GatheredMemory"/>. One thread at a time.
/// </summary>
public sealed class EngramTransformer : IDisposable
{
    private readonly RotaryEmbedding _rotary;
    private readonly TransformerBlock[] _blocks;
    private readonly FrozenSet<int> _dead;
    private readonly Parameter _embedding;
    private readonly StreamHead? _exit;
    private readonly Parameter _finalGain;
    private readonly Parameter _head;

    /// <summary>Builds the model with unset parameters: call <see cref="ModelParameters.Initialize"/> or load a model folder.</summary>
    /// <param name="configuration">A valid configuration.</param>
    /// <param name="device">Where parameters and activations live; host memory by default.</param>
    /// <param name="type">Float32, or float64 for reference computations.</param>
    public EngramTransformer(ModelConfiguration configuration, Device? device = null, ScalarType type = ScalarType.Float32)
    {
        Configuration = configuration.Validated();
        _dead = (configuration.Engram?.DeadTokenIds ?? []).ToFrozenSet();
        Parameters = new ModelParameters(device ?? CPU, type);
        var std = InitialValue.Normal(configuration.InitializerRange);
        long[] vocabulary = [configuration.VocabularySize, configuration.HiddenSize];
        _rotary = new RotaryEmbedding(configuration, Parameters.Device, type);
        _embedding = Parameters.Add("model.embed_tokens.weight", vocabulary, ParameterRole.Vocabulary, std);
        _blocks = [.. Enumerable.Range(0, configuration.NumHiddenLayers).Select(layer => new TransformerBlock(configuration, layer, _rotary, Parameters))];
        _exit = configuration.HcExit == StreamExit.Head ? new StreamHead(configuration, "model.hc_head", Parameters) : null;
        _finalGain = Parameters.Add("model.norm.weight", [configuration.HiddenSize], ParameterRole.Vector, InitialValue.Constant(1));
        _head = configuration.TieWordEmbeddings ? _embedding : Parameters.Add("lm_head.weight", vocabulary, ParameterRole.Vocabulary, std);
    }

    /// <summary>What the model is.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>All dense parameters by checkpoint name.</summary>
    public ModelParameters Parameters { get; }

    /// <summary>Balancing biases of the expert layers by checkpoint name, in layer order; live values.</summary>
    public IEnumerable<(string Name, Memory<float> Bias)> RouterBiases =>
        _blocks.Where(b => b.Experts is not null).Select(b => (b.Experts!.Router.BiasName, b.Experts.Router.Bias));

    /// <summary>Moves every balancing bias once and forgets the counted load: at the end of each optimizer step.</summary>
    public void UpdateRouterBiases()
    {
        foreach (var block in _blocks)
            block.Experts?.Router.UpdateBias(Configuration.RouterBiasUpdateSpeed);
    }

    /// <summary>Empty caches for decoding <paramref name="sequences"/> sequences side by side.</summary>
    public DecodeState NewState(int sequences = 1)
    {
        var histories = new Dictionary<int, ConvolutionHistory>();
        foreach (var block in _blocks)
            if (block.Engram is { Reach: > 0 } engram)
                histories.Add(block.Layer, new ConvolutionHistory(zeros([sequences, engram.Reach, Configuration.FusedStreams, Configuration.HiddenSize],
                    dtype: Parameters.Type, device: Parameters.Device)));
        return new DecodeState(sequences, [.. _blocks.Select(_ => new LatentCache())], histories);
    }

    /// <summary>Final normalised hidden states [N, D] of B sequences of equal length, and the sum of balance losses (null when none is configured).</summary>
    /// <param name="ids">Token ids, row-major [B, T].</param>
    /// <param name="documentStarts">True at the first token of each document, row-major [B, T]; empty when every sequence is one document. Without
    /// <paramref name="state"/> the first position of a sequence always counts as one.</param>
    /// <param name="sequences">B.</param>
    /// <param name="memory">Gathered rows of the same positions; null runs the model with its memory off.</param>
    /// <param name="state">Caches of the positions before, extended by this call; null for whole sequences.</param>
    /// <param name="training">Counts expert load and computes balance losses.</param>
    /// <param name="trace">Receives the memory's inner values.</param>
    /// <param name="absorbed">Forces one of the two equal forms of attention; by default whole sequences expand keys, continued ones do not.</param>
    /// <exception cref="ArgumentOutOfRangeException">A token id is not in the vocabulary.</exception>
    public (Tensor Hidden, Tensor? AuxiliaryLoss) Forward(ReadOnlySpan<int> ids, ReadOnlySpan<bool> documentStarts, int sequences,
        GatheredMemory? memory, DecodeState? state = null, bool training = false, FusionTrace? trace = null, bool? absorbed = null)
    {
        var length = ids.Length / sequences;
        if (length * sequences != ids.Length || length == 0)
            throw new ArgumentException($"{ids.Length} token ids do not make {sequences} sequences of equal length.", nameof(ids));
        if (documentStarts.Length != 0 && documentStarts.Length != ids.Length)
            throw new ArgumentException($"{documentStarts.Length} document marks do not fit {ids.Length} token ids.", nameof(documentStarts));
        var wide = new long[ids.Length];
        for (var i = 0; i < ids.Length; i++)
            wide[i] = (uint)ids[i] < (uint)Configuration.VocabularySize ? ids[i]
                : throw new ArgumentOutOfRangeException(nameof(ids), ids[i], $"Token id {ids[i]} at position {i} is not below the vocabulary size {Configuration.VocabularySize}.");

        // What libtorch works on belongs to this scope, whoever calls: the garbage collector frees what belongs to nobody while libtorch works on it.
        using var scope = NewDisposeScope();
        var offset = state?.Length ?? 0;
        var pass = new ForwardPass
        {
            Training = training,
            Ages = DocumentAges.Compute(documentStarts, sequences, length, state, Configuration.Engram?.ResetAtDocuments ?? true, ids, _dead),
            AttentionMask = DocumentAges.AttentionMask(documentStarts, sequences, length, state, Configuration.AttentionDocumentMask, Parameters.Device),
            AbsorbedAttention = absorbed ?? offset > 0,
            Gathered = memory,
            State = state,
            Trace = trace,
        };

        var hidden = Configuration.HiddenSize;
        var x = EmbeddingLookup.Apply(_embedding, wide, Configuration.EmbeddingScale).view(sequences, length, 1, hidden);
        if (Configuration.HcMult > 1)
            x = x.expand(sequences, length, Configuration.HcMult, hidden).contiguous();
        foreach (var block in _blocks)
            x = block.Forward(x, pass);
        x = _exit is not null ? _exit.Forward(x) : Configuration.HcMult > 1 ? x.mean([2L]) : x.squeeze(2);
        using var auxiliary = pass.AuxiliaryLoss;
        return (RmsNorm.Apply(x.reshape(ids.Length, hidden), _finalGain, Configuration.RmsNormEps).MoveToOuterDisposeScope(), auxiliary?.alias().MoveToOuterDisposeScope());
    }

    /// <summary>Read-out: hidden [N, D] → logits [N, V].</summary>
    public Tensor Logits(Tensor hidden) => nn.functional.linear(hidden, _head);

    /// <summary>Mean cross-entropy in nats of the read-out against one target id per row of hidden [N, D].</summary>
    /// <exception cref="ArgumentException">Not one target per row.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A target is not in the vocabulary.</exception>
    public Tensor Loss(Tensor hidden, int[] targets)
    {
        if (targets.Length != hidden.size(0))
            throw new ArgumentException($"{targets.Length} targets do not fit hidden states of {hidden.size(0)} rows.", nameof(targets));
        foreach (var target in targets)
            if ((uint)target >= (uint)Configuration.VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(targets), target, $"Target id {target} is not below the vocabulary size {Configuration.VocabularySize}.");
        using var scope = NewDisposeScope();
        var loss = LinearCrossEntropyKernel.Handles(hidden)
            ? LinearCrossEntropyKernel.Apply(hidden, _head, targets)
            : nn.functional.cross_entropy(Logits(hidden), tensor(targets, ScalarType.Int64, hidden.device));
        return loss.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rotary.Dispose();
        foreach (var parameter in Parameters.All)
            parameter.Tensor.Dispose();
    }
}
