using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class GroupedMatmulTests
{
    // Exclusive ends: empty groups first, in the middle and last, one group for everything, one row per group, many small groups. The fused
    // operator takes widths of 8 and 12 alone.
    public static TheoryData<int[], int, int> Cases()
    {
        var cases = new TheoryData<int[], int, int>();
        foreach (
            var ends in new int[][]
            {
                [0, 3, 3, 10, 10],
                [10, 10],
                [0, 10],
                [1, 2, 3],
                [67, 67, 131],
                [1],
                [.. Enumerable.Range(1, 50).Select(group => 3 * group)],
            }
        )
        foreach (var (inner, outer) in new[] { (8, 12), (5, 12), (8, 6) })
            cases.Add(ends, inner, outer);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Every_row_meets_the_matrix_of_its_group(int[] ends, int inner, int outer)
    {
        using var scope = NewDisposeScope();
        Agrees(GroupedMatmul.Apply, ends, inner, outer);
        if (inner % 4 == 0 && outer % 4 == 0)
            Agrees(GroupedMatmul.InOneCall, ends, inner, outer);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Two_threads_share_the_rows_of_a_group(int[] ends, int inner, int outer)
    {
        set_num_threads(2);
        try
        {
            using var scope = NewDisposeScope();
            Assert.True(GroupedMatmulKernel.Available);
            Agrees(GroupedMatmulKernel.Apply, ends, inner, outer);
        }
        finally
        {
            set_num_threads(1);
        }
    }

    [Fact]
    public void Two_groups_by_hand()
    {
        using var scope = NewDisposeScope();
        var rows = tensor(new float[] { 1, 2, 3, 4 }, [2, 2]).requires_grad_();
        var matrices = tensor(new float[] { 1, 10, 100, 1000 }, [2, 1, 2]).requires_grad_();
        var result = GroupedMatmulKernel.Apply(rows, matrices, [1, 2]);
        Assert.Equal([1 + 20, 300 + 4000], result.Values());
        result.backward([tensor(new float[] { 2, 3 }, [2, 1])]);
        Assert.Equal([2, 20, 300, 3000], rows.grad!.Values());
        Assert.Equal([2, 4, 9, 12], matrices.grad!.Values());
    }

    private static void Agrees(Func<Tensor, Tensor, int[], Tensor> product, int[] ends, int inner, int outer)
    {
        var groups = Enumerable.Range(0, ends[^1]).Select(row => Array.FindIndex(ends, end => row < end)).ToArray();
        KernelCheck.Agrees(
            x => product(x[0], x[1], ends),
            x => x[1].index_select(0, tensor(groups, ScalarType.Int64)).matmul(x[0].unsqueeze(-1)).squeeze(-1),
            [Sample.Normal(1, ScalarType.Float32, ends[^1], inner), Sample.Normal(2, ScalarType.Float32, ends.Length, outer, inner)]
        );
    }

    [Theory, InlineData(8, 12), InlineData(5, 12)]
    public void Matrices_of_empty_groups_receive_exactly_zero(int inner, int outer)
    {
        using var scope = NewDisposeScope();
        int[] ends = [0, 4, 4, 9, 9];
        var matrices = Sample.Leaf(1, ScalarType.Float32, 5, outer, inner);
        GroupedMatmul.Apply(Sample.Normal(2, ScalarType.Float32, 9, inner), matrices, ends).square().sum().backward();
        foreach (var group in new[] { 0, 2, 4 })
            TensorAssert.Zero(matrices.grad![group], $"gradient of matrix {group}");
        foreach (var group in new[] { 1, 3 })
            Assert.All(matrices.grad![group].Values(), value => Assert.NotEqual(0, value));
    }

    [Fact]
    public void Gradients_of_the_composed_form_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        int[] ends = [2, 2, 5];
        var (rows, matrices) = (Sample.Leaf(1, ScalarType.Float64, 5, 4), Sample.Leaf(2, ScalarType.Float64, 3, 3, 4));
        FiniteDifferences.Check(() => GroupedMatmul.Composed(rows, matrices, ends).pow(3).sum(), [("rows", rows), ("matrices", matrices)]);
    }
}
