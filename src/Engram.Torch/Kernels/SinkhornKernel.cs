using System.Numerics;

namespace Engram.Torch.Kernels;

// Shape letters: n streams: a matrix is [source, destination], n × n

/// <summary>
/// Sinkhorn rounds on small square matrices, one matrix per vector lane: softmax over destinations, then alternating divisions by source
/// and destination sums. Reference: <see cref="Layers.HyperConnection.Sinkhorn"/>.
/// </summary>
/// <param name="streams">n: the matrices are n × n, [source, destination].</param>
/// <param name="rounds">Divisions by the source sums.</param>
/// <param name="epsilon">Added to every sum and to the softmax.</param>
internal sealed class SinkhornKernel(int streams, int rounds, float epsilon)
{
    private readonly int _size = streams * streams;

    // Every normalisation step leaves its result and the reciprocals of its sums here for the backward pass.
    private readonly Vector<float>[] _results = new Vector<float>[(2 * rounds) * streams * streams];
    private readonly Vector<float>[] _reciprocals = new Vector<float>[(2 * rounds) * streams];
    private readonly Vector<float>[] _softmax = new Vector<float>[streams * streams];
    private readonly Vector<float>[] _gradient = new Vector<float>[streams * streams];
    private readonly float[] _lanes = new float[Vector<float>.Count];

    /// <summary>Matrices handled at once.</summary>
    public static int Lanes => Vector<float>.Count;

    private int Steps => 2 * rounds - 1;

    /// <summary>Balances up to <see cref="Lanes"/> matrices.</summary>
    /// <param name="logits">First logit of the first matrix; matrix i starts i · stride further.</param>
    /// <param name="stride">Elements between matrices.</param>
    /// <param name="count">Matrices, at most <see cref="Lanes"/>.</param>
    /// <param name="result">Like <paramref name="logits"/>; may be the same memory. Null to run for the backward pass only.</param>
    public unsafe void Forward(float* logits, int stride, int count, float* result)
    {
        var n = streams;
        for (var source = 0; source < n; source++)
        for (var lane = 0; lane < Lanes; lane++)
            Softmax(logits + (long)Math.Min(lane, count - 1) * stride + source * n, lane, source * n);

        var current = _softmax.AsSpan();
        for (var step = 0; step < Steps; step++)
        {
            var next = _results.AsSpan(step * _size, _size);
            var reciprocals = _reciprocals.AsSpan(step * n, n);
            var overSources = step % 2 == 0;
            for (var i = 0; i < n; i++)
            {
                var (start, skip) = overSources ? (i, n) : (i * n, 1);
                var sum = new Vector<float>(epsilon);
                for (var j = 0; j < n; j++)
                    sum += step == 0 ? current[start + j * skip] + new Vector<float>(epsilon) : current[start + j * skip];
                var reciprocal = Vector<float>.One / sum;
                reciprocals[i] = reciprocal;
                for (var j = 0; j < n; j++)
                {
                    var value = current[start + j * skip];
                    next[start + j * skip] = (step == 0 ? value + new Vector<float>(epsilon) : value) * reciprocal;
                }
            }

            current = next;
        }

        if (result == null)
            return;
        for (var k = 0; k < _size; k++)
        {
            current[k].CopyTo(_lanes);
            for (var lane = 0; lane < count; lane++)
                result[(long)lane * stride + k] = _lanes[lane];
        }
    }

    /// <summary>Gradient with respect to the logits of the last <see cref="Forward"/>, from the gradient of its result.</summary>
    public unsafe void Backward(float* dResult, int stride, int count, float* dLogits, int dLogitsStride)
    {
        var n = streams;
        Gather(dResult, stride, count, _gradient);
        for (var step = Steps - 1; step >= 0; step--)
        {
            // m' = m / (Σm + ε)  gives  dm = (dm' − Σ dm'·m') / (Σm + ε)
            var after = _results.AsSpan(step * _size, _size);
            for (var i = 0; i < n; i++)
            {
                var (start, skip) = step % 2 == 0 ? (i, n) : (i * n, 1);
                var dot = Vector<float>.Zero;
                for (var j = 0; j < n; j++)
                    dot += _gradient[start + j * skip] * after[start + j * skip];
                var reciprocal = _reciprocals[step * n + i];
                for (var j = 0; j < n; j++)
                    _gradient[start + j * skip] = (_gradient[start + j * skip] - dot) * reciprocal;
            }
        }

        for (var source = 0; source < n; source++)
        {
            var dot = Vector<float>.Zero;
            for (var k = source * n; k < (source + 1) * n; k++)
                dot += _gradient[k] * _softmax[k];
            for (var k = source * n; k < (source + 1) * n; k++)
            {
                ((_gradient[k] - dot) * _softmax[k]).CopyTo(_lanes);
                for (var lane = 0; lane < count; lane++)
                    dLogits[(long)lane * dLogitsStride + k] = _lanes[lane];
            }
        }
    }

    private unsafe void Softmax(float* row, int lane, int at)
    {
        var max = row[0];
        for (var k = 1; k < streams; k++)
            max = MathF.Max(max, row[k]);
        Span<float> exponentials = stackalloc float[streams];
        var sum = 0f;
        for (var k = 0; k < streams; k++)
            sum += exponentials[k] = MathF.Exp(row[k] - max);
        for (var k = 0; k < streams; k++)
            _softmax[at + k] = _softmax[at + k].WithElement(lane, exponentials[k] / sum);
    }

    private unsafe void Gather(float* source, int stride, int count, Vector<float>[] target)
    {
        for (var k = 0; k < _size; k++)
        {
            for (var lane = 0; lane < Lanes; lane++)
                _lanes[lane] = lane < count ? source[(long)lane * stride + k] : 0;
            target[k] = new Vector<float>(_lanes);
        }
    }
}
