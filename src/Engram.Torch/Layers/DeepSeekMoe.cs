using Engram.Models.Configuration;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: N tokens   K experts per token   E routed experts   D hidden width   w expert width

/// <summary>
/// Routed experts beside a shared one: y = Σ g_i SwiGLU_i(x) + SwiGLU_shared(x). Every token reaches all its experts; none is dropped.
/// </summary>
internal sealed class DeepSeekMoe
{
    private readonly ModelConfiguration _configuration;
    private readonly Parameter _gateUp;
    private readonly Parameter _down;
    private readonly SwiGlu? _shared;

    public DeepSeekMoe(ModelConfiguration configuration, string prefix, ModelParameters parameters)
    {
        _configuration = configuration;
        var (experts, width, hidden) = (configuration.NRoutedExperts, configuration.MoeIntermediateSize, configuration.HiddenSize);
        Router = new ExpertRouter(configuration, $"{prefix}.gate", parameters);
        _gateUp = parameters.Add(
            $"{prefix}.experts.gate_up_proj",
            [experts, 2 * width, hidden],
            ParameterRole.Matrix,
            InitialValue.Normal(configuration.InitializerRange),
            width,
            width
        );
        _down = parameters.Add(
            $"{prefix}.experts.down_proj",
            [experts, hidden, width],
            ParameterRole.Matrix,
            InitialValue.Normal(configuration.OutputInitializerRange)
        );
        if (configuration.SharedExpertWidth > 0)
            _shared = new SwiGlu($"{prefix}.shared_experts", configuration.SharedExpertWidth, configuration, parameters);
    }

    /// <summary>The router of this layer, for its balancing bias.</summary>
    public ExpertRouter Router { get; }

    /// <summary>x [N, D] → ([N, D], auxiliary loss or null).</summary>
    /// <param name="x">Normalised sub-layer input.</param>
    /// <param name="sequences">Sequences that the tokens belong to, equally long; the auxiliary loss is a mean over them.</param>
    /// <param name="training">Counts load and computes the sequence-wise auxiliary loss when it is configured.</param>
    public (Tensor Output, Tensor? AuxiliaryLoss) Forward(Tensor x, long sequences, bool training)
    {
        var (tokens, perToken) = (x.size(0), _configuration.NumExpertsPerToken);
        var affinities = Router.Affinities(x);
        var chosen = Router.Choose(affinities, countLoad: training);
        using var chosenNK = tensor(chosen, [tokens, perToken], ScalarType.Int64, x.device).DetachFromDisposeScope();

        // Gates come from the unbiased affinities: the bias only selects.
        var gatesNK = affinities.gather(1, chosenNK);
        if (_configuration.NormTopkProb)
            // A single expert's normalised gate is 1 whatever its affinity: the quotient's gradient would be nothing but rounding.
            gatesNK = perToken == 1 ? gatesNK.Times(0).Plus(1) : gatesNK / gatesNK.sum(-1, keepdim: true).Plus(1e-20);
        gatesNK = gatesNK.Times(_configuration.RoutedScalingFactor);

        var (order, position, ends) = SortByExpert(chosen, _configuration.NRoutedExperts);
        var slots = tensor(order, ScalarType.Int64, x.device);
        // Row i of the sorted rows is token order[i] / K. Expanding first keeps the backward pass a plain sum over K instead of a scatter.
        var rows = x.unsqueeze(1).expand(tokens, perToken, x.size(1)).reshape(tokens * perToken, x.size(1)).index_select(0, slots);
        var expert = GroupedMatmul.Apply(SwiGlu.Activate(GroupedMatmul.Apply(rows, _gateUp, ends)), _down, ends);
        var perSlot = expert.index_select(0, tensor(position, ScalarType.Int64, x.device)).view(tokens, perToken, x.size(1));
        var output = (perSlot * gatesNK.unsqueeze(-1)).sum(1);
        if (_shared is not null)
            output = output.Plus(_shared.Forward(x));

        var auxiliary = training && _configuration.SequenceAuxiliaryLossAlpha > 0 ? SequenceLoss(affinities, chosenNK, sequences) : null;
        return (output, auxiliary);
    }

    /// <summary>α Σ_i f_i P_i per sequence, averaged (DeepSeek-V3 Eq. 17–20); equals α at perfect balance.</summary>
    private Tensor SequenceLoss(Tensor affinities, Tensor chosen, long sequences)
    {
        var (experts, length) = (_configuration.NRoutedExperts, affinities.size(0) / sequences);
        var share = affinities / affinities.sum(-1, keepdim: true);
        var probability = share.view(sequences, length, experts).mean([1L]);
        var selected = zeros_like(affinities).scatter(1, chosen, ones_like(affinities)).detach().view(sequences, length, experts);
        var frequency = selected.sum(1).Times((double)experts / (_configuration.NumExpertsPerToken * length));
        return (frequency * probability).sum(-1).mean().Times(_configuration.SequenceAuxiliaryLossAlpha);
    }

    /// <summary>Stable counting sort of the slots (token · K + k) by expert.</summary>
    /// <returns>Order: slot at each sorted place. Position: sorted place of each slot. Ends: exclusive end of each expert's rows.</returns>
    internal static (long[] Order, long[] Position, int[] Ends) SortByExpert(ReadOnlySpan<int> chosen, int experts)
    {
        var ends = new int[experts];
        foreach (var e in chosen)
            ends[e]++;
        var next = new int[experts];
        for (var e = 1; e < experts; e++)
        {
            next[e] = ends[e - 1];
            ends[e] += ends[e - 1];
        }

        var order = new long[chosen.Length];
        var position = new long[chosen.Length];
        for (var slot = 0; slot < chosen.Length; slot++)
        {
            var place = next[chosen[slot]]++;
            order[place] = slot;
            position[slot] = place;
        }

        return (order, position, ends);
    }
}
