using System.Numerics.Tensors;
using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;

namespace Engram.Inference.Layers;

// Shape letters: N rows   n streams   D hidden width   C = 2n + n² coefficients: n to read, n to write, n² to mix, by source and
// destination

/// <summary>
/// How a sub-layer reads the residual streams and writes to them: plainly, or by hyper-connections, constrained (arXiv 2512.24880) or not
/// (arXiv 2409.19606).
/// </summary>
internal sealed unsafe class StreamConnection
{
    private readonly ModelConfiguration _configuration;
    private readonly int _streams;
    private readonly int _hidden;
    private readonly Matrix _fn;
    private readonly float* _base;
    private readonly float* _scale;

    public StreamConnection(ModelConfiguration configuration, ModelWeights weights, string prefix)
    {
        (_configuration, _streams, _hidden) = (configuration, configuration.HcMult, configuration.HiddenSize);
        if (configuration.Residual == ResidualConnection.Plain)
            return;
        var constrained = configuration.Residual == ResidualConnection.Mhc;
        _fn = constrained
            ? weights.Matrix($"{prefix}_fn", Coefficients, _streams * _hidden)
            : weights.Matrix($"{prefix}_fn", 2 + _streams, _hidden);
        _base = weights.Vector($"{prefix}_base", Coefficients);
        _scale = weights.Vector($"{prefix}_scale", constrained ? 3 : 2);
    }

    private int Coefficients => 2 * _streams + _streams * _streams;

    /// <summary>Streams [N, n, D] → what the sub-layer reads [N, D], and coefficients for <see cref="Write"/>.</summary>
    public void Read(ForwardPass pass)
    {
        var streams = pass.Streams.Pointer;
        var input = pass.Input.Reserve((long)pass.Rows * _hidden);
        if (_configuration.Residual == ResidualConnection.Plain)
        {
            Buffer.MemoryCopy(streams, input, sizeof(float) * (long)pass.Rows * _hidden, sizeof(float) * (long)pass.Rows * _hidden);
            return;
        }

        var coefficients = pass.Coefficients.Reserve((long)pass.Rows * Coefficients);
        if (_configuration.Residual == ResidualConnection.Mhc)
            Constrained(pass, streams, coefficients);
        else
            Free(pass, streams, coefficients);
        for (var row = 0; row < pass.Rows; row++)
            RowMixture.Mix(
                streams + (long)row * _streams * _hidden,
                _hidden,
                _streams,
                coefficients + (long)row * Coefficients,
                _hidden,
                input + (long)row * _hidden
            );
    }

    /// <summary>X'[k] = post[k] · y + Σ_m comb[m, k] X[m], in place.</summary>
    /// <param name="pass">With the coefficients of <see cref="Read"/>.</param>
    /// <param name="y">What the sub-layer writes [N, D].</param>
    public void Write(ForwardPass pass, float* y)
    {
        var width = _streams * _hidden;
        var old = pass.Scratch[0].Reserve(width + _hidden);
        var weights = stackalloc float[_streams + 1];
        for (var row = 0; row < pass.Rows; row++)
        {
            var streams = pass.Streams.Pointer + (long)row * width;
            if (_configuration.Residual == ResidualConnection.Plain)
            {
                TensorPrimitives.Add(
                    new ReadOnlySpan<float>(streams, _hidden),
                    new ReadOnlySpan<float>(y + (long)row * _hidden, _hidden),
                    new Span<float>(streams, _hidden)
                );
                continue;
            }

            new ReadOnlySpan<float>(y + (long)row * _hidden, _hidden).CopyTo(new Span<float>(old, _hidden));
            new ReadOnlySpan<float>(streams, width).CopyTo(new Span<float>(old + _hidden, width));
            var coefficients = pass.Coefficients.Pointer + (long)row * Coefficients;
            for (var k = 0; k < _streams; k++)
            {
                weights[0] = coefficients[_streams + k];
                for (var m = 0; m < _streams; m++)
                    weights[m + 1] = coefficients[2 * _streams + m * _streams + k];
                RowMixture.Mix(old, _hidden, _streams + 1, weights, _hidden, streams + k * _hidden);
            }
        }
    }

    private void Constrained(ForwardPass pass, float* streams, float* coefficients)
    {
        var (n, width) = (_streams, _streams * _hidden);
        pass.Multiply(_fn, streams, pass.Rows, coefficients);
        for (var row = 0; row < pass.Rows; row++)
        {
            var w = coefficients + (long)row * Coefficients;
            var unit = Normalization.InverseRms(streams + (long)row * width, width, _configuration.RmsNormEps);
            for (var c = 0; c < Coefficients; c++)
                w[c] =
                    w[c]
                        * unit
                        * _scale[
                            c < n ? 0
                            : c < 2 * n ? 1
                            : 2
                        ]
                    + _base[c];
            for (var m = 0; m < n; m++)
            {
                w[m] = Normalization.Sigmoid(w[m]) + (float)_configuration.HcEps;
                w[n + m] = 2 * Normalization.Sigmoid(w[n + m]);
            }

            Sinkhorn(w + 2 * n, n, _configuration.HcSinkhornIters, (float)_configuration.HcEps);
        }
    }

    private void Free(ForwardPass pass, float* streams, float* coefficients)
    {
        var (n, each) = (_streams, 2 + _streams);
        var dynamic = pass.Scratch[0].Reserve((long)pass.Rows * n * each);
        pass.Multiply(_fn, streams, pass.Rows * n, dynamic);
        for (var row = 0; row < pass.Rows; row++)
        {
            var w = coefficients + (long)row * Coefficients;
            for (var m = 0; m < n; m++)
            {
                var d = dynamic + ((long)row * n + m) * each;
                var unit = Normalization.InverseRms(streams + ((long)row * n + m) * _hidden, _hidden, _configuration.RmsNormEps);
                w[m] = MathF.Tanh(d[0] * unit) * _scale[0] + _base[m];
                w[n + m] = MathF.Tanh(d[1] * unit) * _scale[1] + _base[n + m];
                for (var k = 0; k < n; k++)
                    w[2 * n + m * n + k] = MathF.Tanh(d[2 + k] * unit) * _scale[0] + _base[2 * n + m * n + k];
            }
        }
    }

    /// <summary>
    /// Softmax over destinations, then divisions by the sums over sources and destinations in turn, ending with sources. [source,
    /// destination], in place.
    /// </summary>
    internal static void Sinkhorn(float* m, int n, int rounds, float epsilon)
    {
        for (var s = 0; s < n; s++)
        {
            Normalization.Softmax(m + s * n, n);
            for (var d = 0; d < n; d++)
                m[s * n + d] += epsilon;
        }

        Divide(m, n, epsilon, step: 1, other: n);
        for (var round = 1; round < rounds; round++)
        {
            Divide(m, n, epsilon, step: n, other: 1);
            Divide(m, n, epsilon, step: 1, other: n);
        }
    }

    /// <summary>
    /// Divides every line by its sum + ε: lines begin <paramref name="step"/> apart, their elements lie <paramref name="other"/> apart.
    /// </summary>
    private static void Divide(float* m, int n, float epsilon, int step, int other)
    {
        for (var line = 0; line < n; line++)
        {
            var sum = 0f;
            for (var i = 0; i < n; i++)
                sum += m[line * step + i * other];
            var inverse = 1 / (sum + epsilon);
            for (var i = 0; i < n; i++)
                m[line * step + i * other] *= inverse;
        }
    }
}
