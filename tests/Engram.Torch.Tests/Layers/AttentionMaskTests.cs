using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class AttentionMaskTests
{
    [Fact]
    public void The_mask_is_causal_within_documents()
    {
        using var scope = NewDisposeScope();
        var mask = AttentionMask.Of([0, 0, 2, 2], [0], 4, CPU)!;
        Assert.Equal([1L, 1L, 4L, 4L], mask.shape);
        Assert.Equal([1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1], mask.Values());
    }

    [Fact]
    public void The_mask_of_sequences_at_different_positions_ends_with_each()
    {
        using var scope = NewDisposeScope();
        var mask = AttentionMask.Of([], [2, 0], 2, CPU)!;
        Assert.Equal([2L, 1L, 2L, 4L], mask.shape);
        Assert.Equal(
            [
                1,
                1,
                1,
                0,
                1,
                1,
                1,
                1,
                /* second sequence */
                1,
                0,
                0,
                0,
                1,
                1,
                0,
                0,
            ],
            mask.Values()
        );
        Assert.Equal([0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0], AttentionMask.Of([1, 3, 0, 0], [2, 0], 2, CPU)!.Values());
    }

    [Fact]
    public void Plain_causal_attention_needs_none()
    {
        Assert.Null(AttentionMask.Of([], [3, 3], 2, CPU));
        Assert.Null(AttentionMask.Of([0, 0, 0, 0], [3, 3], 2, CPU));
    }
}
