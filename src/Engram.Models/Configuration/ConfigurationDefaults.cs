namespace Engram.Models.Configuration;

/// <summary>The records with nothing set but what has no default.</summary>
internal static class ConfigurationDefaults
{
    public static ModelConfiguration Model { get; } =
        new()
        {
            VocabularySize = 0,
            HiddenSize = 0,
            NumHiddenLayers = 0,
            NumAttentionHeads = 0,
            KvLoraRank = 0,
            QkNopeHeadDim = 0,
            QkRopeHeadDim = 0,
            VHeadDim = 0,
        };

    public static EngramConfiguration Memory { get; } =
        new()
        {
            LayerIds = [],
            MaxNgramSize = 0,
            NHeads = 0,
            HeadDim = 0,
            SlotsPerOrder = [],
        };

    public static RopeScaling Rope { get; } = new() { Factor = 1.0 };
}
