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

    // Heads of one row that share every position they read.
    private const int HeadsTogether = 4;

    private readonly Action<ForwardPass, int> _absorb;
    private readonly Action<ForwardPass, int> _mix;
    private readonly Action<ForwardPass, int> _attend;
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
        (_absorb, _mix, _attend) = (Absorb, MixRun, AttendAlone);
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
        pass.HeadsPerPart = Math.Clamp(rows * _heads / (pass.Team?.Threads ?? 1), 1, HeadsTogether);
        if (pass.RowsPerSequence == 1)
            AttendApart(pass);
        else
            AttendInRuns(pass);
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

    private int PartsPerRow(ForwardPass pass) => (_heads + pass.HeadsPerPart - 1) / pass.HeadsPerPart;

    /// <summary>Rows that no other row shares positions with: everything that some heads of one row do is one part of the work.</summary>
    private void AttendApart(ForwardPass pass)
    {
        var (scores, positions) = (0L, 0L);
        for (var row = 0; row < pass.Rows; row++)
        {
            var visible = pass.Position(row) + 1 - pass.FirstVisible(row);
            pass.ScoreStarts[row] = scores;
            (scores, positions) = (scores + (long)visible * _heads, positions + visible);
        }

        pass.Scratch[4].Reserve(scores);
        var size = _heads * (positions * (2 * _latent + _rope) + (long)pass.Rows * (_nope + _value) * _latent);
        pass.RunParts(_attend, pass.Rows * PartsPerRow(pass), size);
    }

    private void AttendAlone(ForwardPass pass, int part)
    {
        var (row, h, heads) = Heads(pass, part, PartsPerRow(pass));
        for (var i = 0; i < heads; i++)
            Absorb(pass, row * _heads + h + i);
        var own = pass.FirstVisible(row);
        var visible = pass.Position(row) + 1 - own;
        var scores = pass.Scratch[4].Pointer + pass.ScoreStarts[row] + (long)h * visible;
        var positions = new Matrix((nint)pass.Sequence(row).Values(_part, own), visible, _latent + _rope);
        MatrixProduct.Multiply(positions, pass.Scratch[3].Pointer + ((long)row * _heads + h) * positions.Columns, heads, scores);
        Mix(pass, row, h, heads, scores, visible);
    }

    private void AttendInRuns(ForwardPass pass)
    {
        var rows = pass.Rows;
        pass.RunParts(_absorb, rows * _heads, (long)rows * _heads * _nope * _latent);
        for (var row = 0; row < rows; row += pass.Run.Rows)
        {
            pass.Run = NextRun(pass, row);
            Attend(pass);
        }
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
        pass.RunParts(_mix, rows * PartsPerRow(pass), (long)rows * _heads * _latent * (visible + _value));
    }

    private void MixRun(ForwardPass pass, int part)
    {
        var (place, h, heads) = Heads(pass, part, PartsPerRow(pass));
        var (run, row) = (pass.Run, pass.Run.Row + place);
        var scores = pass.Scratch[4].Pointer + ((long)place * _heads + h) * run.Visible + (pass.FirstVisible(row) - run.First);
        Mix(pass, row, h, heads, scores, run.Visible);
    }

    /// <summary>Row and heads of a part.</summary>
    private (int Row, int First, int Count) Heads(ForwardPass pass, int part, int perRow)
    {
        var first = part % perRow * pass.HeadsPerPart;
        return (part / perRow, first, Math.Min(pass.HeadsPerPart, _heads - first));
    }

    /// <summary>Scores of some heads of one row → softmax → mixtures of the latents [r] → values [v].</summary>
    private void Mix(ForwardPass pass, int row, int h, int heads, float* scores, int stride)
    {
        var own = pass.FirstVisible(row);
        var visible = pass.Position(row) + 1 - own;
        for (var i = 0; i < heads; i++)
        {
            var weights = new Span<float>(scores + (long)i * stride, visible);
            TensorPrimitives.Multiply(weights, _scale, weights);
            Normalization.Softmax(scores + (long)i * stride, visible);
        }

        var mixed = pass.Scratch[5].Pointer + ((long)row * _heads + h) * _latent;
        var latents = new Matrix((nint)pass.Sequence(row).Values(_part, own), visible, _latent);
        RowMixture.MixSeveral(VectorTiers.Best, latents, _latent + _rope, scores, stride, heads, mixed);
        for (var i = 0; i < heads; i++)
            MatrixProduct.Multiply(
                _up.Slice((h + i) * (_nope + _value) + _nope, _value),
                mixed + i * _latent,
                1,
                pass.Scratch[2].Pointer + ((long)row * _heads + h + i) * _value
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
