using System.Runtime.InteropServices;

namespace Engram.Torch.Native;

/// <summary>
/// The matrix product of the library that libtorch itself multiplies with. A call costs less than a microsecond, one through tensors
/// several.
/// </summary>
internal static unsafe class Blas
{
    // SGEMM of the BLAS, matrices in column order: C ← alpha · op(A) · op(B) + beta · C, op(A) [m, k], op(B) [k, n]. 32-bit sizes.
    private static readonly delegate* unmanaged<
        byte*,
        byte*,
        int*,
        int*,
        int*,
        float*,
        float*,
        int*,
        float*,
        int*,
        float*,
        float*,
        int*,
        void> Sgemm = Find();

    /// <summary>Whether the loaded libtorch lets others use it.</summary>
    public static bool Available => Sgemm != null;

    /// <summary>out = a · bᵀ. a [n, k], b [m, k], out [n, m], in row order and without gaps.</summary>
    public static void TimesTransposed(float* a, float* b, int n, int m, int k, float* result) =>
        Call('T', 'N', m, n, k, b, k, a, k, result, m);

    /// <summary>out = a · b. a [n, m], b [m, k], out [n, k], in row order and without gaps.</summary>
    public static void Times(float* a, float* b, int n, int m, int k, float* result) => Call('N', 'N', k, n, m, b, k, a, m, result, k);

    /// <summary>
    /// out = aᵀ · b, for consecutive columns of a. a [n, m] whose rows are <paramref name="rowOfA"/> numbers apart, b [n, k] and out [m, k]
    /// without gaps.
    /// </summary>
    public static void TransposedTimes(float* a, int rowOfA, float* b, int n, int m, int k, float* result) =>
        Call('N', 'T', k, m, n, b, k, a, rowOfA, result, k);

    private static void Call(char transposeA, char transposeB, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc)
    {
        byte first = (byte)transposeA,
            second = (byte)transposeB;
        float one = 1,
            zero = 0;
        Sgemm(&first, &second, &m, &n, &k, &one, a, &lda, b, &ldb, &zero, c, &ldc);
    }

    private static delegate* unmanaged<
        byte*,
        byte*,
        int*,
        int*,
        int*,
        float*,
        float*,
        int*,
        float*,
        int*,
        float*,
        float*,
        int*,
        void> Find()
    {
        LibTorch.EnsureLoaded();
        var library = NativeLibrary.Load(Path.Combine(LibTorchFolder.FindLibTorch(), "libtorch_cpu.so"));
        return NativeLibrary.TryGetExport(library, "sgemm_", out var address)
            ? (delegate* unmanaged<byte*, byte*, int*, int*, int*, float*, float*, int*, float*, int*, float*, float*, int*, void>)address
            : null;
    }
}
