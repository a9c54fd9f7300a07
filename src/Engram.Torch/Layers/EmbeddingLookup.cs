using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>Rows of the token embedding, scaled.</summary>
internal static class EmbeddingLookup
{
    /// <summary>ids [N] → weight[ids] · scale, [N, D].</summary>
    public static Tensor Apply(Tensor weight, long[] ids, double scale)
    {
        var rows = weight.index_select(0, tensor(ids, ScalarType.Int64, weight.device));
        return scale == 1 ? rows : rows.Times(scale);
    }
}
