using Engram.Models.Configuration;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>
/// Rotary position embedding of adjacent pairs (x_2i, x_2i+1), with YaRN frequencies when the configured context exceeds the original one.
/// Angles are computed in double precision and rounded once.
/// </summary>
internal sealed class RotaryEmbedding : IDisposable
{
    private readonly double[] _frequencies;
    private readonly ScalarType _type;
    private readonly Device _device;
    private Tensor? _cosSin; // [positions, pairs, 2]: grows by doubling; not a parameter
    private long _positions;

    public RotaryEmbedding(ModelConfiguration configuration, Device device, ScalarType type)
    {
        _frequencies = RotaryFrequencies.Of(configuration);
        _device = device;
        _type = type;
        ScoreScale = RotaryFrequencies.ScoreScale(configuration);
    }

    /// <summary>Factor of the attention logits beyond 1/√(key width): m² of YaRN, or 1.</summary>
    public double ScoreScale { get; }

    /// <summary>
    /// Cosines and sines [B, T, pairs, 2] of T positions of each sequence; [1, T, pairs, 2] where all sequences begin at one position.
    /// </summary>
    /// <param name="offsets">Position of each sequence's first, [B].</param>
    /// <param name="length">T.</param>
    public Tensor Angles(ReadOnlySpan<int> offsets, int length)
    {
        var last = offsets[0];
        foreach (var offset in offsets)
            last = Math.Max(last, offset);
        var table = Table((long)last + length);
        if (offsets.Count(offsets[0]) == offsets.Length)
            return table.narrow(0, offsets[0], length).unsqueeze(0);
        var positions = new long[offsets.Length * length];
        for (var i = 0; i < positions.Length; i++)
            positions[i] = offsets[i / length] + i % length;
        return table.index_select(0, tensor(positions, ScalarType.Int64, _device)).view(offsets.Length, length, _frequencies.Length, 2);
    }

    /// <summary>
    /// Rotates x [B, T, …, d_r] by <see cref="Angles"/>; <paramref name="headAxis"/> says whether a head axis stands before the last.
    /// </summary>
    public static Tensor Rotate(Tensor x, Tensor angles, bool headAxis)
    {
        var cosSin = headAxis ? angles.unsqueeze(2) : angles;
        var (cos, sin) = (cosSin.select(-1, 0), cosSin.select(-1, 1));
        var parts = x.unflatten(x.dim() - 1, angles.size(2), 2);
        var (even, odd) = (parts.select(-1, 0), parts.select(-1, 1));
        return stack([even * cos - odd * sin, (even * sin).Plus(odd * cos)], -1).flatten(x.dim() - 1);
    }

    /// <inheritdoc/>
    public void Dispose() => _cosSin?.Dispose();

    private Tensor Table(long positions)
    {
        if (_cosSin is not null && positions <= _positions)
            return _cosSin;
        _positions = Math.Max(positions, 2 * _positions);
        var values = new double[_positions * _frequencies.Length * 2];
        var at = 0;
        for (long t = 0; t < _positions; t++)
            foreach (var f in _frequencies)
            {
                (values[at + 1], values[at]) = Math.SinCos(t * f);
                at += 2;
            }
        _cosSin?.Dispose();
        // Grown during inference the table must still serve training: an inference tensor could not be kept for a backward pass.
        using var ordinary = inference_mode(false);
        using var noGrad = no_grad();
        _cosSin = tensor(values, [_positions, _frequencies.Length, 2]).to(_type).to(_device).DetachFromDisposeScope();
        return _cosSin;
    }
}
