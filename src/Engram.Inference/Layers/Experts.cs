using System.Numerics.Tensors;
using Engram.Inference.Kernels;
using Engram.Inference.Weights;
using Engram.Models.Configuration;
using Engram.Models.Routing;

namespace Engram.Inference.Layers;

// Shape letters: N rows   K experts per token   E routed experts   D hidden width

/// <summary>
/// Routed experts beside a shared one: y = Σ g_i SwiGLU_i(x) + SwiGLU_shared(x) (DeepSeek-V3 §2.1.2). Rows that share an expert go through
/// it together; the sum over a row's experts runs in the order of their choice, whoever else is in the pass.
/// </summary>
internal sealed unsafe class Experts
{
    private readonly ModelConfiguration _configuration;
    private readonly Matrix _router;
    private readonly float* _bias;
    private readonly FeedForward[] _experts;
    private readonly FeedForward? _shared;

    public Experts(ModelConfiguration configuration, ModelWeights weights, string prefix)
    {
        _configuration = configuration;
        var hidden = configuration.HiddenSize;
        _router = weights.Matrix($"{prefix}.gate.weight", configuration.NRoutedExperts, hidden);
        _bias = weights.Vector($"{prefix}.gate.e_score_correction_bias", configuration.NRoutedExperts);
        _experts = new FeedForward[configuration.NRoutedExperts];
        for (var e = 0; e < _experts.Length; e++)
            _experts[e] = new FeedForward(weights, $"{prefix}.experts.{e}", hidden, configuration.MoeIntermediateSize);
        if (configuration.SharedExpertWidth > 0)
            _shared = new FeedForward(weights, $"{prefix}.shared_experts", hidden, configuration.SharedExpertWidth);
    }

    /// <summary>x [N, D] → y [N, D].</summary>
    public void Forward(ForwardPass pass, float* x, float* y)
    {
        var (rows, hidden, perRow) = (pass.Rows, _configuration.HiddenSize, _configuration.NumExpertsPerToken);
        pass.ReserveSlots(rows * perRow, _experts.Length);
        var gates = pass.Scratch[3].Reserve((long)rows * (perRow + _experts.Length) + _experts.Length);
        Route(pass, x, gates);
        Sort(pass, rows * perRow);

        // Inputs of all slots, expert by expert; the same order for what they become.
        var slots = rows * perRow;
        var packed = pass.Scratch[5].Reserve(2L * slots * hidden);
        var outputs = packed + (long)slots * hidden;
        for (var i = 0; i < slots; i++)
            Copy(x + (long)(pass.Slots[i] / perRow) * hidden, packed + (long)i * hidden, hidden);
        var innerPerSlot = _experts[0].InnerSize(1);
        var shared = _shared?.InnerSize(rows) ?? 0;
        var inner = pass.Scratch[0].Reserve(slots * innerPerSlot + shared);
        for (var e = 0; e < _experts.Length; e++)
            if (Count(pass, e, out var first) is > 0 and var count)
                _experts[e].AddInner(pass, packed + (long)first * hidden, count, inner + first * innerPerSlot);
        _shared?.AddInner(pass, x, rows, inner + slots * innerPerSlot);
        pass.RunProducts();
        for (var e = 0; e < _experts.Length; e++)
            if (Count(pass, e, out var first) is > 0 and var count)
            {
                _experts[e].Activate(pass, count, inner + first * innerPerSlot);
                _experts[e].AddOutput(pass, count, inner + first * innerPerSlot, outputs + (long)first * hidden);
            }

        _shared?.Activate(pass, rows, inner + slots * innerPerSlot);
        _shared?.AddOutput(pass, rows, inner + slots * innerPerSlot, y);
        pass.RunProducts();
        Add(pass, gates, outputs, y);
    }

    /// <summary>y + Σ g_k · the output of the row's k-th expert.</summary>
    private void Add(ForwardPass pass, float* gates, float* outputs, float* y)
    {
        var (rows, hidden, perRow) = (pass.Rows, _configuration.HiddenSize, _configuration.NumExpertsPerToken);
        for (var i = 0; i < rows * perRow; i++)
            pass.Places[pass.Slots[i]] = i;
        for (var row = 0; row < rows; row++)
        {
            var sum = new Span<float>(y + (long)row * hidden, hidden);
            if (_shared is null)
                sum.Clear();
            for (var slot = row * perRow; slot < (row + 1) * perRow; slot++)
                TensorPrimitives.MultiplyAdd(
                    new ReadOnlySpan<float>(outputs + (long)pass.Places[slot] * hidden, hidden),
                    gates[slot],
                    sum,
                    sum
                );
        }
    }

    /// <summary>Slots (row · K + k) ordered by their expert; where each expert's begin.</summary>
    private static void Sort(ForwardPass pass, int slots)
    {
        var starts = pass.ExpertStarts;
        Array.Clear(starts);
        for (var slot = 0; slot < slots; slot++)
            starts[pass.Chosen[slot] + 1]++;
        for (var e = 1; e < starts.Length; e++)
            starts[e] += starts[e - 1];
        for (var slot = 0; slot < slots; slot++)
            pass.Slots[starts[pass.Chosen[slot]]++] = slot;
        // Each start has moved to the next one's.
        for (var e = starts.Length - 1; e > 0; e--)
            starts[e] = starts[e - 1];
        starts[0] = 0;
    }

    private static int Count(ForwardPass pass, int expert, out int first) =>
        pass.ExpertStarts[expert + 1] - (first = pass.ExpertStarts[expert]);

    private static void Copy(float* from, float* to, int count) => new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>(to, count));

    /// <summary>Chooses the experts of every row; writes their gates [N, K] at the beginning of <paramref name="gates"/>.</summary>
    private void Route(ForwardPass pass, float* x, float* gates)
    {
        var (experts, perRow) = (_experts.Length, _configuration.NumExpertsPerToken);
        var affinities = gates + (long)pass.Rows * perRow;
        pass.Multiply(_router, x, pass.Rows, affinities);
        var biased = affinities + (long)pass.Rows * experts;
        for (var row = 0; row < pass.Rows; row++)
        {
            var affinity = affinities + (long)row * experts;
            Score(affinity);
            for (var e = 0; e < experts; e++)
                biased[e] = affinity[e] + _bias[e];
            var chosen = pass.Chosen.AsSpan(row * perRow, perRow);
            ExpertChoice.Choose(_configuration, new Span<float>(biased, experts), chosen);
            var total = 0f;
            for (var k = 0; k < perRow; k++)
                total += gates[row * perRow + k] = affinity[chosen[k]];

            var scale = (float)(_configuration.RoutedScalingFactor / (_configuration.NormTopkProb ? total + 1e-20 : 1));
            for (var k = 0; k < perRow; k++)
                gates[row * perRow + k] *= scale;
        }
    }

    private void Score(float* logits)
    {
        var values = new Span<float>(logits, _experts.Length);
        switch (_configuration.ScoringFunction)
        {
            case ScoringFunction.Sigmoid:
                TensorPrimitives.Sigmoid<float>(values, values);
                break;
            case ScoringFunction.Softmax:
                Normalization.Softmax(logits, values.Length);
                break;
            case ScoringFunction.SqrtSoftplus:
                foreach (ref var value in values)
                    value = MathF.Sqrt(MathF.Max(value, 0) + float.LogP1(MathF.Exp(-MathF.Abs(value))));
                break;
            case var other:
                throw new InvalidOperationException($"Unknown scoring function {other}.");
        }
    }
}
