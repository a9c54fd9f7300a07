using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;

namespace Engram.Inference.Layers;

// Shape letters: N rows   U visible positions   H heads   D hidden width   r latent width   n non-rotary, p rotary, v value width of one head

/// <summary>
/// Multi-head latent attention (DeepSeek-V2 §2.1) in its absorbed form: the up-projections are multiplied into query and output, so that every head scores against the
/// cached latents themselves. A position keeps [latent r | rotary key p].
/// </summary>
internal sealed unsafe class LatentAttention
{
    private readonly int _part;
    private readonly int _heads;
    private readonly int _nope;
    private readonly int _rope;
    private readonly int _value;
    private readonly int _latent;
    private readonly double _epsilon;
    private readonly float _scale;
    private readonly Matrix _query;
    private readonly Matrix? _queryDown;
    private readonly float* _queryGain;
    private readonly Matrix _down;
    private readonly float* _latentGain;
    private readonly Matrix _up;
    private readonly Matrix _output;

    /// <summary>Finds its weights.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="weights">Of the model.</param>
    /// <param name="prefix">Of their names.</param>
    /// <param name="part">Which part of a sequence keeps its positions.</param>
    public LatentAttention(ModelConfiguration configuration, ModelWeights weights, string prefix, int part)
    {
        (_part, _heads, _nope, _rope) = (part, configuration.NumAttentionHeads, configuration.QkNopeHeadDim, configuration.QkRopeHeadDim);
        (_value, _latent, _epsilon) = (configuration.VHeadDim, configuration.KvLoraRank, configuration.RmsNormEps);
        _scale = (float)(RotaryFrequencies.ScoreScale(configuration) / Math.Sqrt(_nope + _rope));
        var (hidden, queries) = (configuration.HiddenSize, _heads * (_nope + _rope));
        if (configuration.QLoraRank is { } rank)
        {
            _queryDown = weights.Matrix($"{prefix}.q_a_proj.weight", rank, hidden);
            _queryGain = weights.Vector($"{prefix}.q_a_layernorm.weight", rank);
            _query = weights.Matrix($"{prefix}.q_b_proj.weight", queries, rank);
        }
        else
        {
            _query = weights.Matrix($"{prefix}.q_proj.weight", queries, hidden);
        }

        _down = weights.Matrix($"{prefix}.kv_a_proj_with_mqa.weight", _latent + _rope, hidden);
        _latentGain = weights.Vector($"{prefix}.kv_a_layernorm.weight", _latent);
        _up = weights.Matrix($"{prefix}.kv_b_proj.weight", _heads * (_nope + _value), _latent);
        _output = weights.Matrix($"{prefix}.o_proj.weight", hidden, _heads * _value);
    }

    /// <summary>x [N, D] → y [N, D]; adds the rows' positions to what their sequences keep.</summary>
    public void Forward(ForwardPass pass, float* x, float* y)
    {
        var (rows, head, kept) = (pass.Rows, _nope + _rope, _latent + _rope);
        var queries = pass.Scratch[0].Reserve((long)rows * _query.Rows);
        Query(pass, x, queries);
        var down = pass.Scratch[1].Reserve((long)rows * kept);
        MatrixProduct.Multiply(_down, x, rows, down);
        for (var row = 0; row < rows; row++)
        {
            var angles = pass.Angles.Pointer + (long)row * _rope;
            var (source, target) = ((nint)(down + (long)row * kept), (nint)pass.Sequence(row).Values(_part, pass.Position(row)));
            Normalization.Rms((float*)source, _latentGain, _latent, _epsilon, (float*)target);
            Rotate((float*)source + _latent, angles, (float*)target + _latent);
        }

        var heads = pass.Scratch[2].Reserve((long)rows * _heads * _value);
        var absorbed = pass.Scratch[3].Reserve((long)_heads * (kept + _latent));
        var mixed = absorbed + (long)_heads * kept;
        for (var row = 0; row < rows; row++)
        {
            for (var h = 0; h < _heads; h++)
            {
                var query = queries + (long)row * _query.Rows + h * head;
                var keyUp = _up.Slice(h * (_nope + _value), _nope);
                RowMixture.Mix(keyUp.Values, _latent, _nope, query, _latent, absorbed + (long)h * kept, keyUp.Format);
                Rotate(query + _nope, pass.Angles.Pointer + (long)row * _rope, absorbed + (long)h * kept + _latent);
            }

            Attend(pass, row, absorbed, mixed);
            for (var h = 0; h < _heads; h++)
                MatrixProduct.Multiply(_up.Slice(h * (_nope + _value) + _nope, _value), mixed + (long)h * _latent, 1, heads + ((long)row * _heads + h) * _value);
        }

        MatrixProduct.Multiply(_output, heads, rows, y);
    }

    private void Query(ForwardPass pass, float* x, float* queries)
    {
        if (_queryDown is not { } down)
        {
            MatrixProduct.Multiply(_query, x, pass.Rows, queries);
            return;
        }

        var low = pass.Scratch[1].Reserve((long)pass.Rows * down.Rows);
        MatrixProduct.Multiply(down, x, pass.Rows, low);
        for (var row = 0; row < pass.Rows; row++)
            Normalization.Rms(low + (long)row * down.Rows, _queryGain, down.Rows, _epsilon, low + (long)row * down.Rows);
        MatrixProduct.Multiply(_query, low, pass.Rows, queries);
    }

    /// <summary>Absorbed queries [H, r + p] of one row → mixtures of the visible latents [H, r].</summary>
    private void Attend(ForwardPass pass, int row, float* absorbed, float* mixed)
    {
        var (first, kept) = (pass.FirstVisible(row), _latent + _rope);
        var visible = pass.Position(row) + 1 - first;
        var scores = pass.Scratch[4].Reserve((long)_heads * visible);
        var positions = new Matrix((nint)pass.Sequence(row).Values(_part, first), visible, kept);
        MatrixProduct.Multiply(positions, absorbed, _heads, scores);
        for (var h = 0; h < _heads; h++)
        {
            var weights = scores + (long)h * visible;
            for (var u = 0; u < visible; u++)
                weights[u] *= _scale;
            Normalization.Softmax(weights, visible);
            RowMixture.Mix(positions.Values, kept, visible, weights, _latent, mixed + (long)h * _latent);
        }
    }

    /// <summary>Rotates adjacent pairs by the angles [p/2, (cos, sin)].</summary>
    private void Rotate(float* x, float* angles, float* y)
    {
        for (var i = 0; i < _rope; i += 2)
        {
            var (cos, sin, even, odd) = (angles[i], angles[i + 1], x[i], x[i + 1]);
            (y[i], y[i + 1]) = (even * cos - odd * sin, even * sin + odd * cos);
        }
    }
}
