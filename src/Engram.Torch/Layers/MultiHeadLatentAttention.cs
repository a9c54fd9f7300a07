using Engram.Models.Configuration;
using Engram.Torch.Native;
using Engram.Torch.Sequences;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T new positions   U visible positions   H heads   D hidden width
//                r latent width   n non-rotary, p rotary, v value width of one head

/// <summary>
/// Multi-head latent attention (DeepSeek-V2 §2.1): keys and values of all heads come from one normalised latent per position, beside one
/// rotary key that all heads share. Only latent and rotary key are cached while decoding.
/// </summary>
internal sealed class MultiHeadLatentAttention
{
    private readonly int _heads;
    private readonly int _nope;
    private readonly int _rope;
    private readonly int _value;
    private readonly int _latent;
    private readonly double _epsilon;
    private readonly double _scale;
    private readonly double _beyondKeyWidth; // factor of the scores beyond 1/√(key width)
    private readonly Parameter? _q;
    private readonly Parameter? _qDown;
    private readonly Parameter? _qGain;
    private readonly Parameter? _qUp;
    private readonly Parameter _kvDown;
    private readonly Parameter _kvGain;
    private readonly Parameter _kvUp;
    private readonly Parameter _output;

    public MultiHeadLatentAttention(ModelConfiguration configuration, string prefix, RotaryEmbedding rotary, ModelParameters parameters)
    {
        (_heads, _nope, _rope) = (configuration.NumAttentionHeads, configuration.QkNopeHeadDim, configuration.QkRopeHeadDim);
        (_value, _latent) = (configuration.VHeadDim, configuration.KvLoraRank);
        _epsilon = configuration.RmsNormEps;
        _beyondKeyWidth = rotary.ScoreScale;
        _scale = _beyondKeyWidth / Math.Sqrt(_nope + _rope);

        var hidden = configuration.HiddenSize;
        Parameter Matrix(string name, int rows, int columns, double? std = null) =>
            parameters.Add(
                $"{prefix}.{name}.weight",
                [rows, columns],
                ParameterRole.Matrix,
                InitialValue.Normal(std ?? configuration.InitializerRange)
            );
        Parameter Gain(string name, int width) =>
            parameters.Add($"{prefix}.{name}.weight", [width], ParameterRole.Vector, InitialValue.Constant(1));

        if (configuration.QLoraRank is { } rank)
        {
            _qDown = Matrix("q_a_proj", rank, hidden);
            _qGain = Gain("q_a_layernorm", rank);
            _qUp = Matrix("q_b_proj", _heads * (_nope + _rope), rank);
        }
        else
        {
            _q = Matrix("q_proj", _heads * (_nope + _rope), hidden);
        }

        _kvDown = Matrix("kv_a_proj_with_mqa", _latent + _rope, hidden);
        _kvGain = Gain("kv_a_layernorm", _latent);
        _kvUp = Matrix("kv_b_proj", _heads * (_nope + _value), _latent);
        _output = Matrix("o_proj", hidden, _heads * _value, configuration.OutputInitializerRange);
    }

    /// <summary>Attends. x [B, T, D] → [B, T, D].</summary>
    /// <param name="x">Normalised sub-layer input.</param>
    /// <param name="angles">Of the new positions, [B or 1, T, p/2, 2] (<see cref="RotaryEmbedding.Angles"/>).</param>
    /// <param name="mask">
    /// True where position t may see position u, [B or 1, 1, T, U]; null for plain causal attention of sequences at one position.
    /// </param>
    /// <param name="state">Latents and rotary keys of earlier positions, extended by this call; null for whole sequences.</param>
    /// <param name="absorbed">
    /// Multiplies the up-projections into query and output instead of expanding keys and values (same function).
    /// </param>
    /// <param name="segments">
    /// Lengths of documents, end to end over whole sequences, that attention stays within (<see cref="AttentionMask.Segments"/>); null with
    /// a mask.
    /// </param>
    /// <param name="remembered">
    /// What a memory adds to the values of all heads, [B, T, 1, H·v]; keys and values are then always expanded.
    /// </param>
    public Tensor Forward(
        Tensor x,
        Tensor angles,
        Tensor? mask,
        LayerState? state,
        bool absorbed,
        long[]? segments = null,
        Tensor? remembered = null
    )
    {
        var (batch, length) = (x.size(0), x.size(1));
        var q = Query(x).view(batch, length, _heads, _nope + _rope);
        var qNope = q.narrow(-1, 0, _nope);
        var qRope = RotaryEmbedding.Rotate(q.narrow(-1, _nope, _rope), angles, headAxis: true);

        var down = nn.functional.linear(x, _kvDown);
        var latent = RmsNorm.Apply(down.narrow(-1, 0, _latent), _kvGain, _epsilon);
        var kRope = RotaryEmbedding.Rotate(down.narrow(-1, _latent, _rope), angles, headAxis: false);
        if (state is { } held)
        {
            (latent, kRope) = (held.Append(StatePart.Latent, latent), held.Append(StatePart.Key, kRope));
            if (remembered is not null)
                remembered = held.Append(StatePart.Value, remembered);
        }

        var heads =
            absorbed && remembered is null
                ? Absorbed(qNope, qRope, latent, kRope, mask)
                : Naive(qNope, qRope, latent, kRope, mask, segments, remembered);
        return nn.functional.linear(heads, _output);
    }

    /// <summary>
    /// Whether T new positions of sequences with a past cost less in the absorbed form. A score and a mixture take 2r + p products for each
    /// pair of positions there and n + p + v here, where each visible position is expanded by r (n + v) first.
    /// </summary>
    public static bool AbsorbingPays(ModelConfiguration configuration, int length)
    {
        var (latent, expanded) = ((long)configuration.KvLoraRank, (long)configuration.QkNopeHeadDim + configuration.VHeadDim);
        return length * (2 * latent - expanded) < latent * expanded;
    }

    private Tensor Query(Tensor x) =>
        _q is not null
            ? nn.functional.linear(x, _q)
            : nn.functional.linear(RmsNorm.Apply(nn.functional.linear(x, _qDown!), _qGain!, _epsilon), _qUp!);

    /// <summary>Expands keys and values of every visible position. Returns [B, T, H·v].</summary>
    private Tensor Naive(Tensor qNope, Tensor qRope, Tensor latent, Tensor kRope, Tensor? mask, long[]? segments, Tensor? remembered)
    {
        var (batch, length, visible) = (qNope.size(0), qNope.size(1), latent.size(1));
        var up = nn.functional.linear(latent, _kvUp).view(batch, visible, _heads, _nope + _value);
        var q = cat([qNope, qRope], -1);
        var k = cat([up.narrow(-1, 0, _nope), kRope.unsqueeze(2).expand(batch, visible, _heads, _rope)], -1);
        var v = up.narrow(-1, _nope, _value);
        if (remembered is not null)
            v = v.Plus(remembered.view(batch, visible, _heads, _value));

        // The fused kernel scales by 1/√(key width) itself. It wants values as wide as keys: without that libtorch writes all scores down.
        var (key, width) = (_nope + _rope, Math.Max(_nope + _rope, _value));
        var scale = _beyondKeyWidth * Math.Sqrt((double)width / key);
        if (scale != 1)
            q = q.Times(scale);
        (q, k, v) = (Widened(q, width), Widened(k, width), Widened(v, width));
        var o = segments is null ? Attend(q, k, v, mask) : Within(segments, q, k, v);
        return o.narrow(-1, 0, _value).reshape(batch, length, _heads * _value);
    }

    /// <summary>Zeros behind the last elements do not change a product, and are cut off a mixture.</summary>
    private static Tensor Widened(Tensor x, long width) => x.size(-1) == width ? x : nn.functional.pad(x, [0, width - x.size(-1)]);

    /// <summary>q [B, T, H, w], k and v [B, U, H, w] → [B, T, H, w].</summary>
    private static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var (length, visible) = (q.size(1), k.size(1));
        // The fused kernel aligns its own causal mask with the first visible position: right for whole sequences only.
        if (mask is null && length != visible && length > 1)
            mask = AttentionMask.Causal(length, visible, q.device);
        return nn
            .functional.scaled_dot_product_attention(
                q.transpose(1, 2),
                k.transpose(1, 2),
                v.transpose(1, 2),
                mask,
                0.0,
                is_casual: mask is null && length == visible
            )
            .transpose(1, 2);
    }

    /// <summary>
    /// Plain causal attention within each of consecutive documents: what a mask of documents says, without its T² numbers. q, k, v [B, T,
    /// H, w] → [B, T, H, w].
    /// </summary>
    private static Tensor Within(long[] segments, Tensor q, Tensor k, Tensor v)
    {
        Tensor[] Parts(Tensor x) => x.flatten(0, 1).unsqueeze(0).split(segments, 1);
        var (queries, keys, values) = (Parts(q), Parts(k), Parts(v));
        var outputs = new Tensor[segments.Length];
        for (var i = 0; i < outputs.Length; i++)
            outputs[i] = Attend(queries[i], keys[i], values[i], null);
        return cat(outputs, 1).view(q.shape);
    }

    /// <summary>Scores against the latents themselves: multi-query attention of width r + p. Returns [B, T, H·v].</summary>
    private Tensor Absorbed(Tensor qNope, Tensor qRope, Tensor latent, Tensor kRope, Tensor? mask)
    {
        var (batch, length) = (qNope.size(0), qNope.size(1));
        var up = _kvUp.view(_heads, _nope + _value, _latent);
        var keyUp = up.narrow(1, 0, _nope); // [H, n, r]
        var valueUp = up.narrow(1, _nope, _value); // [H, v, r]
        var q = einsum("bthn,hnr->bhtr", qNope, keyUp);
        var scores = einsum("bhtr,bur->bhtu", q, latent).Plus(einsum("bthp,bup->bhtu", qRope, kRope));
        scores = scores.Times(_scale);
        if (mask is null && length > 1)
            mask = AttentionMask.Causal(length, latent.size(1), scores.device);
        // A query that sees nothing has weight nowhere, as in the fused kernel. One new position sees everything before it.
        var weights = mask is null ? scores.softmax(-1) : scores.NegativeInfinityOutside(mask).softmax(-1).ZeroOutside(mask);
        var mixed = einsum("bhtu,bur->bhtr", weights, latent);
        return einsum("bhtr,hvr->bthv", mixed, valueUp).reshape(batch, length, _heads * _value);
    }
}
