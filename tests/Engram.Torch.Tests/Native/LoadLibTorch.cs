using System.Runtime.CompilerServices;
using Engram.Torch.Native;

// libtorch's generator, thread pool and default type belong to the whole process.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Engram.Torch.Tests.Native;

internal static class LoadLibTorch
{
    [ModuleInitializer]
    internal static void Initialize()
    {
        LibTorch.LoadWithTorchSharp();
        try
        {
            // Sums may be ordered differently with another count; and threads of one small operation wait long for each other on a busy
            // machine.
            ThreadSettings.IntraOperation = 1;
        }
        catch (LibTorchException)
        {
            // Some child processes are started with a library that cannot load, to test the error each test would report.
        }
    }
}
