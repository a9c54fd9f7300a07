using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Engram.Torch.Native;

/// <summary>
/// The threads on which libtorch runs its own operators (OpenMP). Managed kernels borrow them: a second pool would compete for the cores
/// with these, which wait for the next operator by spinning, and they start work in a microsecond where the thread pool takes many.
/// </summary>
internal static unsafe class OpenMp
{
    // void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags): what compilers call for "#pragma omp
    // parallel". The GNU and the LLVM/Intel runtimes both export it.
    private static readonly delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void> Parallel = Find();

    private sealed class Region(Action<int> body, int parts)
    {
        private int _next = -1;
        private ExceptionDispatchInfo? _failure;

        // Parts are handed out by number, so all of them run however many threads the runtime grants.
        public void Work()
        {
            try
            {
                for (var part = Interlocked.Increment(ref _next); part < parts; part = Interlocked.Increment(ref _next))
                    body(part);
            }
            catch (Exception e)
            {
                // No exception may cross the native frames.
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            }
        }

        public void ThrowFailure() => _failure?.Throw();
    }

    /// <summary>Whether the loaded libtorch has such threads.</summary>
    public static bool Available => Parallel != null;

    /// <summary>
    /// Runs <paramref name="body"/> once for each part, 0 to <paramref name="parts"/> − 1, on as many threads, the caller's among them.
    /// </summary>
    /// <exception cref="Exception">The first exception of a part; parts that had not begun on its thread are not run.</exception>
    public static void For(int parts, Action<int> body)
    {
        if (!Available)
        {
            System.Threading.Tasks.Parallel.For(0, parts, body);
            return;
        }

        var region = new Region(body, parts);
        var handle = GCHandle.Alloc(region);
        try
        {
            Parallel(&Enter, (void*)GCHandle.ToIntPtr(handle), (uint)parts, 0);
        }
        finally
        {
            handle.Free();
        }

        region.ThrowFailure();
    }

    [UnmanagedCallersOnly]
    private static void Enter(void* data) => ((Region)GCHandle.FromIntPtr((nint)data).Target!).Work();

    private static delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void> Find()
    {
        LibTorch.EnsureLoaded();
        // A look-up through libtorch finds the runtime that libtorch itself is bound to, whatever its file is called.
        var library = NativeLibrary.Load(Path.Combine(LibTorchFolder.FindLibTorch(), "libtorch_cpu.so"));
        return NativeLibrary.TryGetExport(library, "GOMP_parallel", out var address)
            ? (delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void>)address
            : null;
    }
}
