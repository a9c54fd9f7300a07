using Engram.Models.Configuration;
using Engram.Torch.Memory;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Memories without a gate that enter elsewhere than in the residual streams, against their definitions.</summary>
[OneThread]
public class RivalMemoryTests
{
    private static readonly EngramConfiguration Plain = TinyModels.Engram with { Gate = EngramGate.None, ConvKernel = 0 };

    private static readonly ModelConfiguration Input = TinyModels.Dense with
    {
        NumHiddenLayers = 1,
        EmbeddingScale = 3,
        Engram = Plain with { LayerIds = [0], Fusion = FusionPlace.Input },
    };

    /// <summary>
    /// OverEncoding: (wte + Σ over the H tables of W·row) / (1 + H), every table with a linear map of its own; embedding_scale multiplies
    /// the mean.
    /// </summary>
    [Fact]
    public void The_input_embedding_is_the_mean_of_the_token_and_its_ngrams()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Input, ScalarType.Float64);
        using var run = new TransformerRun(Input, 2, 5, ScalarType.Float64);
        using var plain = TinyModels.Build(Input with { Engram = null, EmbeddingScale = 1 }, ScalarType.Float64);
        Copy(model, plain);
        var (token, map, rows) = (
            model.Parameters["model.embed_tokens.weight"].Tensor,
            model.Parameters["model.layers.0.engram.wkv.weight"].Tensor,
            run.Memory!.Layer(0)!
        );
        var sum = token.index_select(0, tensor(run.Ids)).view(2, 5, 16);
        for (var table = 0; table < 4; table++) // two orders of two heads, rows of 3
            sum += matmul(rows.narrow(2, 3 * table, 3), map.narrow(1, 3 * table, 3).t());
        // A model whose token rows are these means, one id per position.
        var mean = (sum * (3.0 / 5)).view(10, 16);
        var (byId, ids) = (plain.Parameters["model.embed_tokens.weight"].Tensor, Enumerable.Range(0, 10).ToArray());
        byId.narrow(0, 0, 10).copy_(mean);
        TensorAssert.Close(plain.Forward(ids, [], 2, null).Hidden, run.Hidden(model).view(10, 16), 1e-12);
    }

    [Fact]
    public void The_divisor_stays_when_the_memory_is_off()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Input, ScalarType.Float64);
        using var run = new TransformerRun(Input, 2, 5, ScalarType.Float64);
        using var zeros = run.Memory!.Map(Input, rows => rows.zeros_like());
        TensorAssert.Close(model.Forward(run.Ids, [], 2, zeros).Hidden, model.Forward(run.Ids, [], 2, null).Hidden, 0);
    }

    /// <summary>
    /// Attention in place of another whose values are those of the latent and the remembered ones: linear in them, so that a change of what
    /// is remembered adds its mixture.
    /// </summary>
    [Fact]
    public void Remembered_values_are_mixed_by_the_weights_of_attention()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var configuration = TinyModels.Dense with
        {
            NumHiddenLayers = 1,
            Engram = Plain with { LayerIds = [0], Fusion = FusionPlace.Values },
        };
        using var model = TinyModels.Build(configuration, ScalarType.Float64);
        using var run = new TransformerRun(configuration, 1, 1, ScalarType.Float64);
        // One position sees itself alone: the layer adds W_o (v + W e) to the stream, and the feed-forward part of what follows is the same
        // for equal streams.
        model.Parameters["model.layers.0.mlp.down_proj.weight"].Tensor.zero_();
        using var taps = new ForwardTaps { StreamLayers = [0] };
        var off = Streams(null);
        var on = Streams(run.Memory);
        var read = matmul(run.Memory!.Layer(0)!, model.Parameters["model.layers.0.engram.wkv.weight"].Tensor.t());
        TensorAssert.Close(
            off + matmul(read, model.Parameters["model.layers.0.self_attn.o_proj.weight"].Tensor.t()).unsqueeze(2),
            on,
            1e-12
        );

        Tensor Streams(GatheredMemory? memory)
        {
            model.Forward(run.Ids, [], 1, memory, taps: taps);
            return taps.Streams(0).clone();
        }
    }

    private static void Copy(EngramTransformer from, EngramTransformer to)
    {
        foreach (var parameter in to.Parameters.All)
            parameter.Tensor.copy_(from.Parameters[parameter.Name].Tensor);
    }
}
