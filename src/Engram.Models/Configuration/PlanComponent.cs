namespace Engram.Models.Configuration;

/// <summary>One kind of weight, summed over the layers.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Parameters">All its parameters.</param>
/// <param name="ActiveParameters">Those that one token touches.</param>
/// <param name="MultiplyAdds">Multiplications with a weight that one token costs.</param>
public sealed record PlanComponent(string Name, long Parameters, long ActiveParameters, long MultiplyAdds)
{
    /// <summary>The components of a model in the order of the forward pass, without the vocabulary matrices.</summary>
    /// <remarks>
    /// Counted: weights, gains, table values. Not counted: the router's balancing bias, which is a buffer, rotary tables, the token map,
    /// hash constants.
    /// </remarks>
    internal static IReadOnlyList<PlanComponent> Of(ModelConfiguration model, IReadOnlyList<long> tableRows)
    {
        checked
        {
            List<PlanComponent> components = [];
            if (model.Engram is { } memory)
            {
                long read = (long)memory.LayerIds.Count * memory.MemoryWidth;
                components.Add(new PlanComponent("memory tables", tableRows.Sum() * memory.HeadDim, read, 0));
                components.Add(Fusion(model, memory));
            }
            components.Add(Attention(model));
            if (model.HcMult > 1)
                components.Add(HyperConnections(model));
            components.Add(Always("norms", ((2L * model.NumHiddenLayers) + 1) * model.HiddenSize, 0));
            long denseLayers = model.NumHiddenLayers - model.MoeLayers;
            if (denseLayers > 0)
                components.Add(Product("dense feed-forward", denseLayers * SwiGlu(model, model.IntermediateSize)));
            if (model.MoeLayers > 0)
            {
                long expert = SwiGlu(model, model.MoeIntermediateSize);
                components.Add(Product("router", (long)model.MoeLayers * model.NRoutedExperts * model.HiddenSize));
                components.Add(Product("shared experts", model.MoeLayers * SwiGlu(model, model.SharedExpertWidth)));
                long active = model.MoeLayers * model.NumExpertsPerToken * expert;
                components.Add(new PlanComponent("routed experts", model.MoeLayers * model.NRoutedExperts * expert, active, active));
            }
            return components;
        }
    }

    /// <summary>Parameters of one SwiGLU: gate, up and down matrix.</summary>
    internal static long SwiGlu(ModelConfiguration model, long width) => checked(3L * model.HiddenSize * width);

    private static PlanComponent Attention(ModelConfiguration model)
    {
        checked
        {
            long d = model.HiddenSize,
                heads = model.NumAttentionHeads,
                latent = model.KvLoraRank,
                query = heads * model.QkHeadDim;
            long matrices =
                (model.QLoraRank is { } rank ? rank * (d + query) : d * query)
                + (d * (latent + model.QkRopeHeadDim))
                + (latent * heads * (model.QkNopeHeadDim + model.VHeadDim))
                + (heads * model.VHeadDim * d);
            long gains = latent + (model.QLoraRank ?? 0);
            return Always("attention", model.NumHiddenLayers * (matrices + gains), model.NumHiddenLayers * matrices);
        }
    }

    private static PlanComponent HyperConnections(ModelConfiguration model)
    {
        checked
        {
            long streams = model.HcMult,
                d = model.HiddenSize,
                maps = (2 * streams) + (streams * streams),
                sublayers = 2L * model.NumHiddenLayers;
            // Constrained, all coefficients come from all streams together; otherwise each stream's from itself, through one matrix, and
            // reading shares its scale with mixing.
            long matrix = model.HcConstrained ? maps * streams * d : (2 + streams) * d,
                scales = model.HcConstrained ? 3 : 2;
            long product = model.HcConstrained ? matrix : streams * matrix;
            long exit = model.HcExit == StreamExit.Head ? streams * streams * d : 0,
                exitScalars = model.HcExit == StreamExit.Head ? streams + 1 : 0;
            return Always("hyper-connections", (sublayers * (matrix + maps + scales)) + exit + exitScalars, (sublayers * product) + exit);
        }
    }

    private static PlanComponent Fusion(ModelConfiguration model, EngramConfiguration memory)
    {
        checked
        {
            long streams = model.FusedStreams,
                d = model.FusedWidth,
                layers = memory.LayerIds.Count;
            bool gated = memory.Gate != EngramGate.None;
            long outputs = (gated ? streams + 1 : 1) * d,
                projections = outputs * memory.MemoryWidth,
                biases = memory.ProjectionBias ? outputs : 0;
            long convolution = streams * d * memory.ConvKernel;
            long gains = ((gated ? 2 : 0) + (memory.ConvKernel > 0 ? 1 : 0)) * streams * d;
            return Always("memory fusion", layers * (projections + biases + convolution + gains), layers * (projections + convolution));
        }
    }

    private static PlanComponent Product(string name, long parameters) => new(name, parameters, parameters, parameters);

    private static PlanComponent Always(string name, long parameters, long multiplyAdds) => new(name, parameters, parameters, multiplyAdds);
}
