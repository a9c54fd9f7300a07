using System.Runtime.InteropServices;
using Engram.Models.Configuration;
using Engram.Models.Routing;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>
/// Chooses K of E experts per token by affinity plus a balancing bias, and weighs them by affinity alone (DeepSeek-V3 §2.1.2). The choice
/// is integer work on the host; gradients flow through the affinities of the chosen experts only.
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
        _weight = parameters.Add(
            $"{prefix}.weight",
            [configuration.NRoutedExperts, configuration.HiddenSize],
            ParameterRole.Matrix,
            InitialValue.Normal(configuration.InitializerRange)
        );
        _bias = new float[configuration.NRoutedExperts];
        _load = new long[configuration.NRoutedExperts];
    }

    /// <summary>Name of the balancing bias in checkpoints.</summary>
    public string BiasName { get; }

    /// <summary>
    /// Balancing bias of each expert, added to the affinity for the choice only. Saved with the model, never trained by gradient.
    /// </summary>
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
            var own = chosen.AsSpan(t * perToken, perToken);
            ExpertChoice.Choose(_configuration, biased, own);
            if (countLoad)
                foreach (var expert in own)
                    _load[expert]++;
        }

        return chosen;
    }

    /// <summary>
    /// Moves every bias by ±speed towards equal load (loss-free balancing, once per optimizer step), and forgets the load.
    /// </summary>
    public void UpdateBias(double speed)
    {
        var mean = _load.Sum() / (double)_load.Length;
        for (var e = 0; e < _bias.Length; e++)
            _bias[e] += (float)(speed * Math.Sign(mean - _load[e]));
        Array.Clear(_load);
    }
}
