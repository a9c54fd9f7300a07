using System.Numerics.Tensors;
using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;

namespace Engram.Inference.Layers;

// Shape letters: N rows   U visible positions   H heads   D hidden width   r latent width   n non-rotary, p rotary, v value width of one
// head

/// <summary>
/// Multi-head latent attention (DeepSeek-V2 §2.1) in its absorbed form: the up-projections are multiplied into query and output, so that
/// every head scores against the
/// cached latents themselves. A position keeps [latent r | rotary key p].
/// </summary>
internal sealed unsafe class LatentAttention
{
    // Scores of a run stay in the second-level cache.
    private const long MostScores = 1 << 17;

    private readonly Action<ForwardPass, int> _absorb;
    private readonly Action<ForwardPass, int> _mix;
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
        (_absorb, _mix) = (Absorb, Mix);
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
        var (rows, kept) = (pass.Rows, _latent + _rope);
        var queries = pass.Scratch[0].Reserve((long)rows * _query.Rows);
        var down = pass.Scratch[1].Reserve((long)rows * kept);
        pass.Products.Add(_down, x, rows, down);
        Query(pass, x, queries);
        for (var row = 0; row < rows; row++)
        {
            var angles = pass.Angles.Pointer + (long)row * _rope;
            float* source = down + (long)row * kept,
                target = pass.Sequence(row).Values(_part, pass.Position(row));
            Normalization.Rms(source, _latentGain, _latent, _epsilon, target);
            Rotate(source + _latent, angles, target + _latent);
        }

        pass.Scratch[2].Reserve((long)rows * _heads * _value);
        pass.Scratch[3].Reserve((long)rows * _heads * kept);
        pass.Scratch[5].Reserve((long)rows * _heads * _latent);
        pass.RunParts(_absorb, rows * _heads, (long)rows * _heads * _nope * _latent);
        for (var row = 0; row < rows; row += pass.Run.Rows)
        {
            pass.Run = NextRun(pass, row);
            Attend(pass);
        }

        pass.Multiply(_output, pass.Scratch[2].Pointer, rows, y);
    }

    private void Query(ForwardPass pass, float* x, float* queries)
    {
        if (_queryDown is not { } down)
        {
            pass.Products.Add(_query, x, pass.Rows, queries);
            pass.RunProducts();
            return;
        }

        var low = pass.Scratch[2].Reserve((long)pass.Rows * down.Rows);
        pass.Products.Add(down, x, pass.Rows, low);
        pass.RunProducts();
        for (var row = 0; row < pass.Rows; row++)
            Normalization.Rms(low + (long)row * down.Rows, _queryGain, down.Rows, _epsilon, low + (long)row * down.Rows);
        pass.Multiply(_query, low, pass.Rows, queries);
    }

    /// <summary>Query [n + p] of one row and head → the query of the latents [r + p].</summary>
    private void Absorb(ForwardPass pass, int part)
    {
        var (row, h) = (part / _heads, part % _heads);
        var query = pass.Scratch[0].Pointer + (long)row * _query.Rows + h * (_nope + _rope);
        var absorbed = pass.Scratch[3].Pointer + (long)part * (_latent + _rope);
        RowMixture.Mix(_up.Slice(h * (_nope + _value), _nope), query, absorbed);
        Rotate(query + _nope, pass.Angles.Pointer + (long)row * _rope, absorbed + _latent);
    }

    /// <summary>Consecutive rows of one sequence, as many as may score at once, and the positions that any of them sees.</summary>
    private (int Row, int Rows, int First, int Visible) NextRun(ForwardPass pass, int row)
    {
        var (rows, first) = (1, pass.FirstVisible(row));
        while (row + rows < pass.Rows && pass.Sequence(row + rows) == pass.Sequence(row))
        {
            var wider = Math.Min(first, pass.FirstVisible(row + rows));
            if ((rows + 1L) * _heads * (pass.Position(row + rows) + 1 - wider) > MostScores)
                break;
            (rows, first) = (rows + 1, wider);
        }

        return (row, rows, first, pass.Position(row + rows - 1) + 1 - first);
    }

    /// <summary>
    /// Scores of the run's rows against all positions that one of them sees [rows, H, U], then each row and head over those that it sees
    /// itself.
    /// </summary>
    private void Attend(ForwardPass pass)
    {
        var (row, rows, first, visible) = pass.Run;
        var scores = pass.Scratch[4].Reserve((long)rows * _heads * visible);
        var positions = new Matrix((nint)pass.Sequence(row).Values(_part, first), visible, _latent + _rope);
        pass.Multiply(positions, pass.Scratch[3].Pointer + (long)row * _heads * (_latent + _rope), rows * _heads, scores);
        pass.RunParts(_mix, rows * _heads, (long)rows * _heads * _latent * (visible + _value));
    }

    /// <summary>Scores of one row and head → softmax → mixture of the latents [r] → value [v].</summary>
    private void Mix(ForwardPass pass, int part)
    {
        var (row, h, run) = (pass.Run.Row + part / _heads, part % _heads, pass.Run);
        var own = pass.FirstVisible(row);
        var visible = pass.Position(row) + 1 - own;
        var weights = pass.Scratch[4].Pointer + (long)part * run.Visible + (own - run.First);
        var scores = new Span<float>(weights, visible);
        TensorPrimitives.Multiply(scores, _scale, scores);
        Normalization.Softmax(weights, visible);
        var mixed = pass.Scratch[5].Pointer + ((long)row * _heads + h) * _latent;
        RowMixture.Mix(pass.Sequence(row).Values(_part, own), _latent + _rope, visible, weights, _latent, mixed);
        MatrixProduct.Multiply(
            _up.Slice(h * (_nope + _value) + _nope, _value),
            mixed,
            1,
            pass.Scratch[2].Pointer + ((long)row * _heads + h) * _value
        );
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
