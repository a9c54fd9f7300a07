using System.Numerics.Tensors;
using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;
using Engram.Models.Memory;

namespace Engram.Inference.Layers;

// Shape letters: N rows   M streams that are fused   D hidden width   E memory width

/// <summary>
/// Lets gathered memory into the residual streams (paper §2.3–2.4, Eq. 3–6): one value shared by all streams, a key and a gate per stream,
/// then the short convolution
/// Y = u + silu(Conv(RMSNorm(u))) over the values of the positions before, which the sequence keeps.
/// </summary>
internal sealed unsafe class MemoryFusion
{
    private readonly EngramConfiguration _engram;
    private readonly int _position;
    private readonly int _part;
    private readonly int _streams;
    private readonly int _hidden;
    private readonly double _epsilon;
    private readonly float _scale;
    private readonly Matrix _keyValue;
    private readonly float* _bias;
    private readonly float* _queryGain;
    private readonly float* _keyGain;
    private readonly float* _convolutionGain;
    private readonly FloatBuffer _taps = new(); // [κ, M, D]: one tap of all channels after the other

    /// <summary>Finds its weights.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="weights">Of the model.</param>
    /// <param name="prefix">Of their names.</param>
    /// <param name="position">Position of the layer among the memory layers.</param>
    /// <param name="part">Which part of a sequence keeps the values of its positions.</param>
    public MemoryFusion(ModelConfiguration configuration, ModelWeights weights, string prefix, int position, int part)
    {
        (_engram, _position, _part) = (configuration.Engram!, position, part);
        (_streams, _hidden, _epsilon) = (configuration.FusedStreams, configuration.HiddenSize, _engram.NormEps ?? configuration.RmsNormEps);
        _scale = _engram.Fusion == FusionPlace.Input ? (float)configuration.InputScale : 1;
        var keys = _engram.Gate == EngramGate.None ? 0 : _streams;
        _keyValue = weights.Matrix($"{prefix}.wkv.weight", (keys + 1) * _hidden, _engram.MemoryWidth);
        if (_engram.ProjectionBias)
            _bias = weights.Vector($"{prefix}.wkv.bias", (keys + 1) * _hidden);
        if (keys > 0)
        {
            _queryGain = weights.Vector($"{prefix}.q_weight", _streams, _hidden);
            _keyGain = weights.Vector($"{prefix}.k_weight", _streams, _hidden);
        }

        if (_engram.ConvKernel == 0)
            return;
        _convolutionGain = weights.Vector($"{prefix}.conv_norm.weight", _streams, _hidden);
        var (channels, kernel) = (_streams * _hidden, _engram.ConvKernel);
        var taps = weights.Vector($"{prefix}.conv.weight", channels, 1, kernel);
        _taps.Reserve(channels * kernel);
        for (var channel = 0; channel < channels; channel++)
        for (var j = 0; j < kernel; j++)
            _taps.Pointer[j * channels + channel] = taps[channel * kernel + j];
    }

    /// <summary>Adds what the memory has to say to the streams [N, M, D], in place.</summary>
    /// <param name="pass">With addressed rows; every row's sequence has a memory.</param>
    /// <param name="streams">The residual streams, the one mixture of them that attention reads, or the input embedding.</param>
    public void Forward(ForwardPass pass, float* streams)
    {
        var memory = pass.Sequence(0).Memory!;
        var gathered = pass.Memory.Reserve((long)pass.Rows * _engram.MemoryWidth);
        memory.Tables.Store(_position).Gather(pass.MemoryRows.Layer(_position), new Span<float>(gathered, pass.Rows * _engram.MemoryWidth));
        var keyValue = pass.Scratch[0].Reserve((long)pass.Rows * _keyValue.Rows);
        pass.Multiply(_keyValue, gathered, pass.Rows, keyValue);
        if (_bias is not null)
            for (var row = 0; row < pass.Rows; row++)
                if (pass.Age(row) >= 0)
                    Add(keyValue + (long)row * _keyValue.Rows, _bias, _keyValue.Rows);
        var channels = _streams * _hidden;
        var gated = pass.Scratch[1].Reserve((long)pass.Rows * channels);
        var gates = pass.Scratch[3].Reserve((long)pass.Rows * _streams);
        for (var row = 0; row < pass.Rows; row++)
            Gate(
                streams + (long)row * channels,
                keyValue + (long)row * _keyValue.Rows,
                gated + (long)row * channels,
                gates + (long)row * _streams,
                pass.Scratch[2].Reserve(_hidden)
            );
        if (_engram.ConvKernel > 0)
            Convolve(pass, gated);
        if (pass.Tap is not null)
            Show(pass, streams, gates, gated);
        for (var row = 0; row < pass.Rows; row++)
            if (pass.Sequence(row).ClosedStream is { } closed)
                new Span<float>(gated + (long)row * channels + closed * _hidden, _hidden).Clear();
        // A dead position reads nothing, so that exactly nothing is added there.
        TensorPrimitives.Add(
            new ReadOnlySpan<float>(streams, pass.Rows * channels),
            new ReadOnlySpan<float>(gated, pass.Rows * channels),
            new Span<float>(streams, pass.Rows * channels)
        );
    }

    private static void Add(float* values, float* others, int count) =>
        TensorPrimitives.Add(
            new ReadOnlySpan<float>(values, count),
            new ReadOnlySpan<float>(others, count),
            new Span<float>(values, count)
        );

    /// <summary>Copies what this layer does for whoever asks.</summary>
    private void Show(ForwardPass pass, float* streams, float* gates, float* gated)
    {
        var (rows, channels) = (pass.Rows, _streams * _hidden);
        for (var row = 0; row < rows; row++)
            if (pass.Age(row) < 0)
                new Span<float>(gates + (long)row * _streams, _streams).Clear();
        pass.Tap!.Of(_engram.LayerIds[_position])
            .Add(
                new ReadOnlySpan<float>(pass.Memory.Pointer, rows * _engram.MemoryWidth),
                new ReadOnlySpan<float>(streams, rows * channels),
                new ReadOnlySpan<float>(gates, rows * _streams),
                new ReadOnlySpan<float>(gated, rows * channels)
            );
    }

    /// <summary>One row: its gates α [M] and α·v [M, D].</summary>
    private void Gate(float* streams, float* keyValue, float* gated, float* gates, float* product)
    {
        var value = new ReadOnlySpan<float>(keyValue + _keyValue.Rows - _hidden, _hidden);
        for (var s = 0; s < _streams; s++)
        {
            var target = new Span<float>(gated + s * _hidden, _hidden);
            if (_engram.Gate == EngramGate.None)
            {
                gates[s] = 1;
                TensorPrimitives.Multiply(value, _scale, target);
                continue;
            }

            float* query = streams + s * _hidden,
                key = keyValue + s * _hidden;
            var weighted = new Span<float>(product, _hidden);
            TensorPrimitives.Multiply(
                new ReadOnlySpan<float>(key, _hidden),
                new ReadOnlySpan<float>(_keyGain + s * _hidden, _hidden),
                weighted
            );
            TensorPrimitives.Multiply(weighted, new ReadOnlySpan<float>(_queryGain + s * _hidden, _hidden), weighted);
            var score =
                Normalization.Dot(query, product, _hidden)
                * Normalization.InverseRms(query, _hidden, _epsilon)
                * Normalization.InverseRms(key, _hidden, _epsilon)
                / MathF.Sqrt(_hidden);
            gates[s] = Normalization.Sigmoid(GateFunction.Logit(_engram.Gate, score));
            TensorPrimitives.Multiply(value, gates[s], target);
        }
    }

    /// <summary>u [N, M, D] → u + silu(Conv(RMSNorm(u))), in place.</summary>
    private void Convolve(ForwardPass pass, float* gated)
    {
        var (channels, kernel, dilation) = (_streams * _hidden, _engram.ConvKernel, _engram.ConvDilation);
        // All values first: rows of one sequence look back to each other.
        for (var row = 0; row < pass.Rows; row++)
        for (var s = 0; s < _streams; s++)
            Normalization.Rms(
                gated + (long)row * channels + s * _hidden,
                _convolutionGain + s * _hidden,
                _hidden,
                EngramConfiguration.ConvNormEpsilon,
                pass.Sequence(row).Values(_part, pass.Position(row)) + s * _hidden
            );
        var sum = new Span<float>(pass.Scratch[2].Reserve(2L * channels), channels);
        var sigmoid = new Span<float>(pass.Scratch[2].Pointer + channels, channels);
        for (var row = 0; row < pass.Rows; row++)
        {
            if (pass.Age(row) < 0)
                continue;
            sum.Clear();
            for (var j = 0; j < kernel; j++)
            {
                var back = (kernel - 1 - j) * dilation;
                if (back > pass.Age(row))
                    continue;
                var values = new ReadOnlySpan<float>(pass.Sequence(row).Values(_part, pass.Position(row) - back), channels);
                TensorPrimitives.MultiplyAdd(values, new ReadOnlySpan<float>(_taps.Pointer + j * channels, channels), sum, sum);
            }

            TensorPrimitives.Sigmoid<float>(sum, sigmoid);
            var u = new Span<float>(gated + (long)row * channels, channels);
            TensorPrimitives.MultiplyAdd(sum, sigmoid, u, u);
        }
    }
}
