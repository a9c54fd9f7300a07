using Engram.Models.Configuration;
using Engram.Models.Sequences;
using Engram.Torch.Layers;
using Engram.Torch.Memory;
using Engram.Torch.Native;
using Engram.Torch.Sequences;
using Engram.Torch.Taps;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch;

// Shape letters: B sequences   T positions   N = B·T   n residual streams   D hidden width   V vocabulary

/// <summary>
/// The dense part of the model: embedding, blocks of latent attention and feed-forward or experts, memory fusion where the configuration
/// puts it, read-out. Dense, mixture-of-experts and Engram models are this class under three configurations. Tables are not here: the rows
/// of a batch come in as <see cref="GatheredMemory"/>. One thread at a time.
/// </summary>
public sealed class EngramTransformer : IDisposable
{
    private readonly RotaryEmbedding _rotary;
    private readonly TransformerBlock[] _blocks;
    private readonly Parameter _embedding;
    private readonly EngramFusion? _inputMemory;
    private readonly ReadOut _readOut;

    /// <summary>Builds the model with unset parameters: call <see cref="ModelParameters.Initialize"/> or load a model folder.</summary>
    /// <param name="configuration">A valid configuration.</param>
    /// <param name="device">Where parameters and activations live; host memory by default.</param>
    /// <param name="type">Float32, or float64 for reference computations.</param>
    public EngramTransformer(ModelConfiguration configuration, Device? device = null, ScalarType type = ScalarType.Float32)
    {
        Configuration = configuration.Validated();
        Documents = new DocumentRule(configuration);
        Parameters = new ModelParameters(device ?? CPU, type);
        _rotary = new RotaryEmbedding(configuration, Parameters.Device, type);
        _embedding = Parameters.Add(
            "model.embed_tokens.weight",
            [configuration.VocabularySize, configuration.HiddenSize],
            ParameterRole.Vocabulary,
            InitialValue.Normal(configuration.InitializerRange)
        );
        if (configuration.Engram is { Fusion: FusionPlace.Input })
            _inputMemory = new EngramFusion(configuration, "model.layers.0.engram", Parameters);
        _blocks =
        [
            .. Enumerable
                .Range(0, configuration.NumHiddenLayers)
                .Select(layer => new TransformerBlock(configuration, layer, _rotary, Parameters)),
        ];
        _readOut = new ReadOut(configuration, _embedding, Parameters);
    }

    /// <summary>What the model is.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Where documents begin and which positions are dead.</summary>
    public DocumentRule Documents { get; }

    /// <summary>All dense parameters by checkpoint name.</summary>
    public ModelParameters Parameters { get; }

    /// <summary>Balancing biases of the expert layers by checkpoint name, in layer order; live values.</summary>
    public IEnumerable<(string Name, Memory<float> Bias)> RouterBiases =>
        _blocks.Where(b => b.Experts is not null).Select(b => (b.Experts!.Router.BiasName, b.Experts.Router.Bias));

    /// <summary>Moves every balancing bias once and forgets the counted load: at the end of each optimizer step.</summary>
    /// <param name="frozen">Says of the name of a bias whether it stays; none does by default.</param>
    public void UpdateRouterBiases(Func<string, bool>? frozen = null)
    {
        foreach (var block in _blocks)
            if (block.Experts?.Router is { } router)
                router.UpdateBias(frozen?.Invoke(router.BiasName) == true ? 0 : Configuration.RouterBiasUpdateSpeed);
    }

    /// <summary>The state of a sequence before its first token.</summary>
    public SequenceState NewState() => new(new TokenHistory(Documents));

    /// <summary>
    /// Reads B whole sequences of equal length. Returns final normalised hidden states [N, D] and the sum of balance losses (null when none
    /// is configured).
    /// </summary>
    /// <param name="ids">Token ids, row-major [B, T].</param>
    /// <param name="documentStarts">
    /// True at the first token of each document, row-major [B, T]; empty when every sequence is one document. The first position of a
    /// sequence always counts as one.
    /// </param>
    /// <param name="sequences">B.</param>
    /// <param name="memory">Gathered rows of the same positions; null runs the model with its memory off.</param>
    /// <param name="training">Counts expert load and computes balance losses.</param>
    /// <param name="taps">Takes inner values.</param>
    /// <exception cref="ArgumentOutOfRangeException">A token id is not in the vocabulary.</exception>
    /// <exception cref="ArgumentException">Ids, document marks and B do not fit together.</exception>
    public (Tensor Hidden, Tensor? AuxiliaryLoss) Forward(
        ReadOnlySpan<int> ids,
        ReadOnlySpan<bool> documentStarts,
        int sequences,
        GatheredMemory? memory,
        bool training = false,
        ForwardTaps? taps = null
    ) => Forward(ids, documentStarts, sequences, memory, training, taps, absorbed: false);

    /// <summary>
    /// Reads the next T tokens of B sequences, each at its own position, and appends them to their states. Returns final normalised hidden
    /// states [N, D] of the new tokens. Documents begin at start tokens (<see cref="DocumentRule"/>). All of a sequence is read with its
    /// memory on, or all with it off. No gradient flows. If a pass fails, the states stay as they were.
    /// </summary>
    /// <param name="states">B states of this model, each once.</param>
    /// <param name="ids">Token ids, row-major [B, T]: as many for each sequence.</param>
    /// <param name="memory">
    /// Gathered rows of the same tokens (<see cref="Models.Memory.MemoryBank.AddressNext"/>); null runs the model with its memory off.
    /// </param>
    /// <param name="taps">Takes inner values.</param>
    /// <exception cref="ArgumentOutOfRangeException">A token id is not in the vocabulary.</exception>
    /// <exception cref="ArgumentException">Ids and states do not fit together, or a state is given twice.</exception>
    public Tensor Continue(IReadOnlyList<SequenceState> states, ReadOnlySpan<int> ids, GatheredMemory? memory, ForwardTaps? taps = null) =>
        Continue(states, ids, memory, taps, absorbed: null);

    /// <inheritdoc cref="Forward(ReadOnlySpan{int}, ReadOnlySpan{bool}, int, GatheredMemory, bool, ForwardTaps)"/>
    /// <param name="ids">Token ids, row-major [B, T].</param>
    /// <param name="documentStarts">True at the first token of each document, row-major [B, T], or empty.</param>
    /// <param name="sequences">B.</param>
    /// <param name="memory">Gathered rows of the same positions, or null.</param>
    /// <param name="training">Counts expert load and computes balance losses.</param>
    /// <param name="taps">Takes inner values.</param>
    /// <param name="absorbed">Which of the two equal forms attention takes.</param>
    internal (Tensor Hidden, Tensor? AuxiliaryLoss) Forward(
        ReadOnlySpan<int> ids,
        ReadOnlySpan<bool> documentStarts,
        int sequences,
        GatheredMemory? memory,
        bool training,
        ForwardTaps? taps,
        bool absorbed
    )
    {
        var length = LengthOf(ids, sequences);
        if (documentStarts.Length != 0 && documentStarts.Length != ids.Length)
            throw new ArgumentException(
                $"{documentStarts.Length} document marks do not fit {ids.Length} token ids.",
                nameof(documentStarts)
            );
        var wide = Checked(ids);

        // What libtorch works on belongs to this scope, whoever calls: the garbage collector frees what belongs to nobody while libtorch
        // works on it.
        using var scope = NewDisposeScope();
        var offsets = new int[sequences];
        var (ages, documents) = Documents.Places(ids, documentStarts, sequences);
        var within = Configuration.AttentionDocumentMask ? documents : [];
        var segments = absorbed ? null : AttentionMask.Segments(within, length);
        var pass = new ForwardPass
        {
            Training = training,
            Ages = ages,
            Angles = _rotary.Angles(offsets, length),
            AttentionMask = segments is null ? AttentionMask.Of(within, offsets, length, Parameters.Device) : null,
            Segments = segments,
            AbsorbedAttention = absorbed,
            Gathered = memory,
            States = null,
            Taps = taps,
        };
        var hidden = Run(wide, sequences, pass).MoveToOuterDisposeScope();
        using var auxiliary = pass.AuxiliaryLoss;
        return (hidden, auxiliary?.alias().MoveToOuterDisposeScope());
    }

    /// <inheritdoc cref="Continue(IReadOnlyList{SequenceState}, ReadOnlySpan{int}, GatheredMemory, ForwardTaps)"/>
    /// <param name="states">B states of this model, each once.</param>
    /// <param name="ids">Token ids, row-major [B, T].</param>
    /// <param name="memory">Gathered rows of the same tokens, or null.</param>
    /// <param name="taps">Takes inner values.</param>
    /// <param name="absorbed">
    /// Which of the two equal forms attention takes; by default sequences at their beginning expand keys, continued ones do not.
    /// </param>
    internal Tensor Continue(
        IReadOnlyList<SequenceState> states,
        ReadOnlySpan<int> ids,
        GatheredMemory? memory,
        ForwardTaps? taps,
        bool? absorbed
    )
    {
        var length = LengthOf(ids, states.Count);
        var wide = Checked(ids);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var batch = new StateBatch(states, ids, Parameters.Device);
        try
        {
            var absorbs =
                absorbed ?? (batch.Offsets.Any(offset => offset > 0) && MultiHeadLatentAttention.AbsorbingPays(Configuration, length));
            var mask = AttentionMask.Of(
                Configuration.AttentionDocumentMask ? batch.Documents() : [],
                batch.Offsets,
                length,
                Parameters.Device
            );
            // Once for all layers, which would each make it.
            if (mask is null && length > 1 && length != batch.Visible)
                mask = AttentionMask.Causal(length, batch.Visible, Parameters.Device);
            var pass = new ForwardPass
            {
                Training = false,
                Ages = batch.Ages(),
                Angles = _rotary.Angles(batch.Offsets, length),
                AttentionMask = mask,
                Segments = null,
                AbsorbedAttention = absorbs,
                Gathered = memory,
                States = batch,
                Taps = taps,
            };
            return Run(wide, states.Count, pass).MoveToOuterDisposeScope();
        }
        catch
        {
            batch.Undo();
            throw;
        }
    }

    /// <summary>
    /// Final norm of the residual streams' exit (their mean, or a learnt head): [B, T, n, D] → hidden [N, D]. Of streams behind any layer
    /// it is what the read-out makes of them.
    /// </summary>
    public Tensor Hidden(Tensor streams) => _readOut.Hidden(streams);

    /// <summary>As <see cref="Hidden"/>, but of the mean of the streams also where the exit is a learnt head.</summary>
    internal Tensor HiddenOfMean(Tensor streams) => _readOut.HiddenOfMean(streams);

    /// <summary>Read-out: hidden [N, D] → logits [N, V].</summary>
    public Tensor Logits(Tensor hidden) => _readOut.Logits(hidden);

    /// <summary>Mean cross-entropy in nats of the read-out against one target id per row of hidden [N, D].</summary>
    /// <exception cref="ArgumentException">Not one target per row.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A target is not in the vocabulary.</exception>
    public Tensor Loss(Tensor hidden, int[] targets) => _readOut.Loss(hidden, targets);

    /// <summary>
    /// Cross-entropy in nats of the read-out against the target id of each row of hidden [N, D]. No gradient flows, and no logits [N, V]
    /// are kept.
    /// </summary>
    /// <exception cref="ArgumentException">Not one target per row.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A target is not in the vocabulary.</exception>
    public double[] Losses(Tensor hidden, int[] targets) => _readOut.Losses(hidden, targets);

    /// <summary>From ids [N] to hidden states [N, D].</summary>
    private Tensor Run(long[] ids, int sequences, ForwardPass pass)
    {
        pass.Taps?.Begin(Configuration);
        var (length, hidden) = (ids.Length / sequences, Configuration.HiddenSize);
        var x = EmbeddingLookup.Apply(_embedding, ids, Configuration.InputScale).view(sequences, length, 1, hidden);
        if (_inputMemory is not null && pass.Memory(0) is { } memory)
            x = x.Plus(_inputMemory.Forward(x, memory, pass.Ages, null, pass.Taps?.OfMemory(0)));
        if (Configuration.HcMult > 1)
            x = x.expand(sequences, length, Configuration.HcMult, hidden).contiguous();
        foreach (var block in _blocks)
            x = block.Forward(x, pass);
        return Hidden(x);
    }

    private static int LengthOf(ReadOnlySpan<int> ids, int sequences) =>
        sequences > 0 && ids.Length > 0 && ids.Length % sequences == 0
            ? ids.Length / sequences
            : throw new ArgumentException($"{ids.Length} token ids do not make {sequences} sequences of equal length.", nameof(ids));

    private long[] Checked(ReadOnlySpan<int> ids)
    {
        var wide = new long[ids.Length];
        for (var i = 0; i < ids.Length; i++)
            wide[i] =
                (uint)ids[i] < (uint)Configuration.VocabularySize
                    ? ids[i]
                    : throw new ArgumentOutOfRangeException(
                        nameof(ids),
                        ids[i],
                        $"Token id {ids[i]} at position {i} is not below the vocabulary size {Configuration.VocabularySize}."
                    );
        return wide;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rotary.Dispose();
        foreach (var parameter in Parameters.All)
            parameter.Tensor.Dispose();
    }
}
