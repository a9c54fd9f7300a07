using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;

namespace Engram.Inference.Layers;

// Shape letters: N rows   n streams   D hidden width

/// <summary>
/// One block (paper §2.3): memory, then attention, then the feed-forward network or experts, each sub-layer wrapped by its own residual
/// connection.
/// </summary>
internal sealed unsafe class Block
{
    private readonly ModelConfiguration _configuration;
    private readonly MemoryFusion? _memory;
    private readonly LatentAttention _attention;
    private readonly FeedForward? _dense;
    private readonly Experts? _experts;
    private readonly StreamConnection _attentionConnection;
    private readonly StreamConnection _feedForwardConnection;
    private readonly float* _inputGain;
    private readonly float* _postAttentionGain;

    /// <summary>Finds its weights, and adds the widths of what it keeps of every position to the parts of a sequence.</summary>
    public Block(ModelConfiguration configuration, ModelWeights weights, int layer, List<int> parts)
    {
        _configuration = configuration;
        var (prefix, hidden) = ($"model.layers.{layer}", configuration.HiddenSize);
        if (configuration.Engram is { Fusion: FusionPlace.Values })
            throw new NotSupportedException(
                "engram_fusion values: this engine does not read memories that join the values of attention; use Engram.Torch for this "
                    + "model."
            );
        if (configuration.HasMemory(layer) && configuration.Engram!.Fusion != FusionPlace.Input)
        {
            var position = 0;
            while (configuration.Engram!.LayerIds[position] != layer)
                position++;
            _memory = new MemoryFusion(configuration, weights, $"{prefix}.engram", position, parts.Count);
            if (configuration.Engram.ConvKernel > 0)
                parts.Add(configuration.FusedStreams * hidden);
        }

        _inputGain = weights.Vector($"{prefix}.input_layernorm.weight", hidden);
        _attention = new LatentAttention(configuration, weights, $"{prefix}.self_attn", parts.Count);
        parts.Add(configuration.KvLoraRank + configuration.QkRopeHeadDim);
        _postAttentionGain = weights.Vector($"{prefix}.post_attention_layernorm.weight", hidden);
        if (configuration.IsMoeLayer(layer))
            _experts = new Experts(configuration, weights, $"{prefix}.mlp");
        else
            _dense = new FeedForward(weights, $"{prefix}.mlp", hidden, configuration.IntermediateSize);
        _attentionConnection = new StreamConnection(configuration, weights, $"{prefix}.hc_attn");
        _feedForwardConnection = new StreamConnection(configuration, weights, $"{prefix}.hc_ffn");
    }

    /// <summary>Streams [N, n, D] → streams, in place.</summary>
    public void Forward(ForwardPass pass)
    {
        var memory = pass.Sequence(0).Memory is null ? null : _memory;
        var fusesMixture = _configuration.Engram?.Fusion == FusionPlace.Mixture;
        if (!fusesMixture)
            memory?.Forward(pass, pass.Streams.Pointer);

        var output = pass.Output.Reserve((long)pass.Rows * _configuration.HiddenSize);
        _attentionConnection.Read(pass);
        if (fusesMixture)
            memory?.Forward(pass, pass.Input.Pointer);
        _attention.Forward(pass, Normed(pass, _inputGain), output);
        _attentionConnection.Write(pass, output);

        _feedForwardConnection.Read(pass);
        var normed = Normed(pass, _postAttentionGain);
        if (_experts is not null)
            _experts.Forward(pass, normed, output);
        else
            _dense!.Forward(pass, normed, pass.Rows, output);
        _feedForwardConnection.Write(pass, output);
    }

    private float* Normed(ForwardPass pass, float* gain)
    {
        var hidden = _configuration.HiddenSize;
        var normed = pass.Normed.Reserve((long)pass.Rows * hidden);
        for (var row = 0; row < pass.Rows; row++)
            Normalization.Rms(
                pass.Input.Pointer + (long)row * hidden,
                gain,
                hidden,
                _configuration.RmsNormEps,
                normed + (long)row * hidden
            );
        return normed;
    }
}
