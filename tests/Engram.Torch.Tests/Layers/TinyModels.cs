using Engram.Models.Configuration;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Configurations small enough for exhaustive checks, with no two sizes equal where a transposition could hide.</summary>
internal static class TinyModels
{
    /// <summary>Dense, one stream, no memory.</summary>
    public static ModelConfiguration Dense { get; } =
        new()
        {
            VocabularySize = 37,
            HiddenSize = 16,
            IntermediateSize = 20,
            NumHiddenLayers = 3,
            NumAttentionHeads = 2,
            KvLoraRank = 8,
            QkNopeHeadDim = 6,
            QkRopeHeadDim = 4,
            VHeadDim = 5,
        };

    /// <summary>Two memory layers with every mechanism on.</summary>
    public static EngramConfiguration Engram { get; } =
        new()
        {
            LayerIds = [0, 2],
            MaxNgramSize = 3,
            NHeads = 2,
            HeadDim = 3,
            SlotsPerOrder = [13, 17],
        };

    /// <summary>
    /// Experts, four streams, memory with gate and convolution. Few Sinkhorn rounds, because the composed form is slow; the layer is tested
    /// with 20.
    /// </summary>
    public static ModelConfiguration Full { get; } =
        Dense with
        {
            FirstKDenseReplace = 1,
            NRoutedExperts = 6,
            NumExpertsPerToken = 2,
            NSharedExperts = 1,
            MoeIntermediateSize = 8,
            RoutedScalingFactor = 1.7,
            HcMult = 4,
            HcSinkhornIters = 4,
            Engram = Engram,
        };

    /// <summary>A model with parameters away from their starting values.</summary>
    public static EngramTransformer Build(ModelConfiguration configuration, ScalarType type = ScalarType.Float32, int seed = 5)
    {
        var model = new EngramTransformer(configuration, type: type);
        Sample.Fill(model.Parameters, seed);
        return model;
    }

    /// <summary>Parameters for a layer built on its own.</summary>
    public static ModelParameters Parameters(ScalarType type) => new(CPU, type);
}
