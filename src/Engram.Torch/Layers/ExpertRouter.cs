using System.Runtime.InteropServices;
using Engram.Models.Configuration;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>
/// Chooses K of E experts per token by affinity plus a balancing bias, and weighs them by affinity alone (DeepSeek-V3 §2.1.2). The choice is
/// integer work on the host; gradients flow through the affinities of the chosen experts only.
/// </summary>
internal sealed class ExpertRouter
{
    private readonly ModelConfiguration _configuration;
    private readonly Parameter _weight;
    private readonly float[] _bias;
    private readonly long[] _load;

    public ExpertRouter(ModelConfiguration configuration, string prefix, ModelParameters parameters)
    {
        _configuration = configuration;
        BiasName = $"{prefix}.e_score_correction_bias";
        _weight = parameters.Add($"{prefix}.weight", [configuration.NRoutedExperts, configuration.HiddenSize], ParameterRole.Matrix,
            InitialValue.Normal(configuration.InitializerRange));
        _bias = new float[configuration.NRoutedExperts];
        _load = new long[configuration.NRoutedExperts];
    }

    /// <summary>Name of the balancing bias in checkpoints.</summary>
    public string BiasName { get; }

    /// <summary>Balancing bias of each expert, added to the affinity for the choice only. Saved with the model, never trained by gradient.</summary>
    public Memory<float> Bias => _bias;

    /// <summary>Tokens sent to each expert since the last <see cref="UpdateBias"/>.</summary>
    public ReadOnlySpan<long> Load => _load;

    /// <summary>Affinities of every expert, [N, D] → [N, E].</summary>
    public Tensor Affinities(Tensor x)
    {
        var logits = nn.functional.linear(x, _weight);
        return _configuration.ScoringFunction switch
        {
            ScoringFunction.Sigmoid => logits.sigmoid(),
            ScoringFunction.Softmax => logits.softmax(-1),
            ScoringFunction.SqrtSoftplus => logits.Softplus().sqrt(),
            var other => throw new InvalidOperationException($"Unknown scoring function {other}."),
        };
    }

    /// <summary>The K experts of each token, ascending by rank of biased affinity, ties to the lower index. [N, E] → [N · K].</summary>
    /// <param name="affinities">Output of <see cref="Affinities"/>.</param>
    /// <param name="countLoad">Whether the choice counts for the balancing bias: in training only.</param>
    public int[] Choose(Tensor affinities, bool countLoad)
    {
        var experts = _configuration.NRoutedExperts;
        var perToken = _configuration.NumExpertsPerToken;
        using var host = affinities.detach().to(ScalarType.Float32).cpu().contiguous();
        var scores = MemoryMarshal.Cast<byte, float>(host.bytes);
        var tokens = scores.Length / experts;
        var chosen = new int[tokens * perToken];
        Span<float> biased = stackalloc float[experts];
        for (var t = 0; t < tokens; t++)
        {
            for (var e = 0; e < experts; e++)
                biased[e] = scores[t * experts + e] + _bias[e];
            KeepBestGroups(biased);
            for (var k = 0; k < perToken; k++)
            {
                var best = 0;
                for (var e = 1; e < experts; e++)
                    if (biased[e] > biased[best])
                        best = e;
                chosen[t * perToken + k] = best;
                biased[best] = float.NegativeInfinity;
                if (countLoad)
                    _load[best]++;
            }
        }

        return chosen;
    }

    /// <summary>Moves every bias by ±speed towards equal load (loss-free balancing, once per optimizer step), and forgets the load.</summary>
    public void UpdateBias(double speed)
    {
        var mean = _load.Sum() / (double)_load.Length;
        for (var e = 0; e < _bias.Length; e++)
            _bias[e] += (float)(speed * Math.Sign(mean - _load[e]));
        Array.Clear(_load);
    }

    /// <summary>With expert groups: only the best groups, by the sum of their two best biased scores, stay eligible.</summary>
    private void KeepBestGroups(Span<float> biased)
    {
        var groups = _configuration.NGroup;
        if (groups <= 1)
            return;
        var size = biased.Length / groups;
        Span<float> groupScores = stackalloc float[groups];
        for (var g = 0; g < groups; g++)
        {
            var (first, second) = (float.NegativeInfinity, float.NegativeInfinity);
            foreach (var score in biased.Slice(g * size, size))
                if (score > first)
                    (first, second) = (score, first);
                else if (score > second)
                    second = score;
            groupScores[g] = size > 1 ? first + second : first;
        }

        for (var dropped = 0; dropped < groups - _configuration.TopkGroup; dropped++)
        {
            var worst = -1;
            for (var g = 0; g < groups; g++)
                if (!float.IsNaN(groupScores[g]) && (worst < 0 || groupScores[g] <= groupScores[worst]))
                    worst = g;
            groupScores[worst] = float.NaN;
            biased.Slice(worst * size, size).Fill(float.NegativeInfinity);
        }
    }
}
