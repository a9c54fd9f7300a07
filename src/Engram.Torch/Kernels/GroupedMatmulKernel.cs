using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Kernels;

// Shape letters: N rows   G groups   K inner width   M outer width

/// <summary>
/// Rows sorted by group, each group times its own matrix, and the gradients of both, straight from the product of the BLAS: many small
/// groups cost hardly more than a few large ones. Reference: <see cref="Layers.GroupedMatmul.Composed"/>.
/// </summary>
internal sealed unsafe class GroupedMatmulKernel : HostFunction<GroupedMatmulKernel>
{
    public override string Name => nameof(GroupedMatmulKernel);

    /// <summary>Whether the product of the BLAS could be reached in the loaded libtorch.</summary>
    public static bool Available => Blas.Available;

    /// <summary>out[i] = rows[i] · matrices[g]ᵀ for the rows of group g. rows [N, K], matrices [G, M, K] → [N, M].</summary>
    public static Tensor Apply(Tensor rows, Tensor matrices, int[] ends) => apply(rows, matrices, ends);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (rows, matrices, ends) = (((Tensor)vars[0]).contiguous(), ((Tensor)vars[1]).contiguous(), (int[])vars[2]);
        var (count, k, m) = ((int)rows.size(0), (int)rows.size(1), (int)matrices.size(1));
        var result = empty([count, m], ScalarType.Float32);
        float* a = HostTensor.Pointer(rows),
            b = HostTensor.Pointer(matrices),
            c = HostTensor.Pointer(result);
        HostTensor.InParts(
            count,
            (_, from, to) =>
                InGroups(
                    ends,
                    from,
                    to,
                    (group, begin, length) =>
                        Blas.TimesTransposed(a + (long)begin * k, b + (long)group * m * k, length, m, k, c + (long)begin * m)
                )
        );
        ctx.save_for_backward([rows, matrices]);
        ctx.save_data(nameof(ends), ends);
        return result;
    }

    protected override List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor gradient)
    {
        var (rows, matrices, ends) = (saved[0], saved[1], (int[])ctx.get_data("ends"));
        var (count, k, m) = ((int)rows.size(0), (int)rows.size(1), (int)matrices.size(1));
        var (dRows, dMatrices) = (empty_like(rows), empty_like(matrices));
        float* a = HostTensor.Pointer(rows),
            b = HostTensor.Pointer(matrices),
            d = HostTensor.Pointer(gradient);
        float* da = HostTensor.Pointer(dRows),
            db = HostTensor.Pointer(dMatrices);
        HostTensor.InParts(
            count,
            (_, from, to) =>
                InGroups(
                    ends,
                    from,
                    to,
                    (group, begin, length) => Blas.Times(d + (long)begin * m, b + (long)group * m * k, length, m, k, da + (long)begin * k)
                )
        );
        // Every part takes some rows of every matrix, so that the parts are equal however the rows are shared among the groups.
        HostTensor.InParts(
            m,
            (_, from, to) =>
            {
                for (var group = 0; group < ends.Length; group++)
                {
                    var begin = group == 0 ? 0 : ends[group - 1];
                    var target = db + ((long)group * m + from) * k;
                    if (begin == ends[group])
                        new Span<float>(target, (to - from) * k).Clear();
                    else
                        Blas.TransposedTimes(d + (long)begin * m + from, m, a + (long)begin * k, ends[group] - begin, to - from, k, target);
                }
            },
            least: 2
        );
        return [dRows, dMatrices, null!];
    }

    /// <summary>The rows [from, to) by group: calls with group, first row and number of rows, none of them empty.</summary>
    private static void InGroups(int[] ends, int from, int to, Action<int, int, int> body)
    {
        // The first group that ends beyond.
        var group = Array.BinarySearch(ends, from);
        for (group = group < 0 ? ~group : group; from < to; group++)
        {
            var end = Math.Min(ends[group], to);
            if (end > from)
                body(group, from, end - from);
            from = Math.Max(from, end);
        }
    }
}
