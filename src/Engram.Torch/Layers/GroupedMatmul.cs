using Engram.Torch.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: N rows   G groups   K inner width   M outer width

/// <summary>Rows sorted by group, each group times its own matrix: the arithmetic of routed experts, without padding or dropping.</summary>
internal static class GroupedMatmul
{
    // One ATen call for all groups; TorchSharp does not bind it, TorchScript reaches it.
    private const string Source = """
        def grouped_mm(rows: Tensor, matrices: Tensor, ends: Tensor):
            return torch._grouped_mm(rows, matrices, ends)

        """;

    private static readonly Lazy<jit.CompilationUnit> Script = new(() => jit.compile(Source));

    /// <summary>out[i] = rows[i] · matrices[g]ᵀ for the rows of group g. rows [N, K], matrices [G, M, K] → [N, M].</summary>
    /// <param name="rows">Sorted by group, contiguous.</param>
    /// <param name="matrices">One matrix [out, in] per group.</param>
    /// <param name="ends">Exclusive end of each group's rows, ascending; the last is N. Groups may be empty.</param>
    public static Tensor Apply(Tensor rows, Tensor matrices, int[] ends) =>
        Fused.Or(
            rows,
            kernel: () => GroupedMatmulKernel.Available ? GroupedMatmulKernel.Apply(rows, matrices, ends) : OnDevice(rows, matrices, ends),
            twin: () => OnDevice(rows, matrices, ends)
        );

    // The operator of libtorch takes single precision and 16-byte aligned rows only.
    private static Tensor OnDevice(Tensor rows, Tensor matrices, int[] ends) =>
        rows.dtype == ScalarType.Float32 && rows.size(1) % 4 == 0 && matrices.size(1) % 4 == 0
            ? InOneCall(rows, matrices, ends)
            : Composed(rows, matrices, ends);

    /// <summary>The operator of libtorch: for devices that the kernel does not reach.</summary>
    internal static Tensor InOneCall(Tensor rows, Tensor matrices, int[] ends)
    {
        var endsTensor = tensor(ends, dtype: ScalarType.Int32, device: rows.device);
        return (Tensor)Script.Value.invoke("grouped_mm", rows, matrices.transpose(1, 2), endsTensor);
    }

    /// <summary>The twin of both: one product per group, any type and width.</summary>
    public static Tensor Composed(Tensor rows, Tensor matrices, int[] ends)
    {
        var products = new List<Tensor>(ends.Length);
        var begin = 0;
        foreach (var (matrix, end) in matrices.unbind(0).Zip(ends))
        {
            products.Add(rows.narrow(0, begin, end - begin).mm(matrix.t()));
            begin = end;
        }

        return cat(products, 0);
    }
}
