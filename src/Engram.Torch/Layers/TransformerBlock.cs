using Engram.Models.Configuration;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T positions   N = B·T   n residual streams   D hidden width

/// <summary>
/// One block (paper §2.3): memory is added to the raw streams first (or, as an ablation, to what attention reads of them), then attention,
/// then the feed-forward network, each wrapped by its own residual map. Dense or expert feed-forward, plain or hyper-connected residual,
/// with or without memory, by configuration alone.
/// </summary>
internal sealed class TransformerBlock
{
    private readonly double _epsilon;
    private readonly int _streams;
    private readonly MultiHeadLatentAttention _attention;
    private readonly SwiGlu? _dense;
    private readonly StreamConnection? _attentionConnection;
    private readonly StreamConnection? _feedForwardConnection;
    private readonly FusionPlace _place;
    private readonly Parameter _inputGain;
    private readonly Parameter _postAttentionGain;

    public TransformerBlock(ModelConfiguration configuration, int layer, RotaryEmbedding rotary, ModelParameters parameters)
    {
        var prefix = $"model.layers.{layer}";
        var hidden = configuration.HiddenSize;
        (_epsilon, _streams, Layer) = (configuration.RmsNormEps, configuration.HcMult, layer);
        _place = configuration.Engram?.Fusion ?? FusionPlace.Streams;
        if (configuration.HasMemory(layer) && _place != FusionPlace.Input)
            Engram = new EngramFusion(configuration, $"{prefix}.engram", parameters);
        _inputGain = parameters.Add($"{prefix}.input_layernorm.weight", [hidden], ParameterRole.Vector, InitialValue.Constant(1));
        _attention = new MultiHeadLatentAttention(configuration, $"{prefix}.self_attn", rotary, parameters);
        _postAttentionGain = parameters.Add(
            $"{prefix}.post_attention_layernorm.weight",
            [hidden],
            ParameterRole.Vector,
            InitialValue.Constant(1)
        );
        if (configuration.NRoutedExperts > 0 && layer >= configuration.FirstKDenseReplace)
            Experts = new DeepSeekMoe(configuration, $"{prefix}.mlp", parameters);
        else
            _dense = new SwiGlu($"{prefix}.mlp", configuration.IntermediateSize, configuration, parameters);
        _attentionConnection = StreamConnection.Of(configuration, $"{prefix}.hc_attn", 2 * layer, parameters);
        _feedForwardConnection = StreamConnection.Of(configuration, $"{prefix}.hc_ffn", 2 * layer + 1, parameters);
    }

    /// <summary>0-based index.</summary>
    public int Layer { get; }

    /// <summary>The memory of this block, if it has one.</summary>
    public EngramFusion? Engram { get; }

    /// <summary>The experts of this block, if it has them.</summary>
    public DeepSeekMoe? Experts { get; }

    /// <summary>Streams [B, T, n, D] → streams.</summary>
    public Tensor Forward(Tensor streams, ForwardPass pass)
    {
        // What the backward pass needs belongs to the graph, and the rest is in nobody's way: handles would keep it all until the step
        // ends.
        using var scope = NewDisposeScope();
        if (_place == FusionPlace.Streams)
            streams = WithMemory(streams, pass);

        var shape = streams.shape;
        var (batch, length, hidden) = (shape[0], shape[1], shape[3]);
        var x = streams.view(batch * length, _streams, hidden);
        x = Wrap(
            x,
            _attentionConnection,
            u =>
            {
                if (_place == FusionPlace.Mixture)
                    u = WithMemory(u.view(batch, length, 1, hidden), pass).view(batch * length, hidden);
                var values = _place == FusionPlace.Values ? Read(u.view(batch, length, 1, hidden), pass) : null;
                var normed = RmsNorm.Apply(u, _inputGain, _epsilon).view(batch, length, hidden);
                return _attention
                    .Forward(normed, pass.Angles, pass.AttentionMask, pass.State(Layer), pass.AbsorbedAttention, pass.Segments, values)
                    .view(batch * length, hidden);
            }
        );
        x = Wrap(
            x,
            _feedForwardConnection,
            u =>
            {
                var normed = RmsNorm.Apply(u, _postAttentionGain, _epsilon);
                if (Experts is null)
                    return _dense!.Forward(normed);
                var (output, auxiliary) = Experts.Forward(normed, batch, pass.Training);
                pass.AddAuxiliaryLoss(auxiliary);
                return output;
            }
        );
        var leaving = x.view(shape);
        pass.Taps?.SetStreams(Layer, leaving);
        return leaving.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Adds what the memory has to say, if there is one: to the streams, or to their mixture. [B, T, M, D] → [B, T, M, D].
    /// </summary>
    private Tensor WithMemory(Tensor x, ForwardPass pass) => Read(x, pass) is { } read ? x.Plus(read) : x;

    /// <summary>What the memory has to say, if there is one and it is on. [B, T, M, D] → [B, T, M, width of what it is for].</summary>
    private Tensor? Read(Tensor x, ForwardPass pass)
    {
        if (Engram is null || pass.Memory(Layer) is not { } memory)
            return null;
        var read = Engram.Forward(x, memory, pass.Ages, pass.State(Layer), pass.Taps?.OfMemory(Layer));
        return pass.Gathered!.ClosedStream is { } closed
            ? read.ZeroOutside(
                tensor([.. Enumerable.Range(0, (int)read.size(2)).Select(stream => stream != closed)], device: read.device).unsqueeze(-1)
            )
            : read;
    }

    private static Tensor Wrap(Tensor x, StreamConnection? connection, Func<Tensor, Tensor> subLayer)
    {
        using var scope = NewDisposeScope();
        if (connection is null)
            return x.Plus(subLayer(x.squeeze(1)).unsqueeze(1)).MoveToOuterDisposeScope();
        var (input, coefficients) = connection.Read(x);
        return connection.Write(x, subLayer(input), coefficients).MoveToOuterDisposeScope();
    }
}
