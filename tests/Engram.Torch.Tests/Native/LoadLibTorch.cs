using System.Runtime.CompilerServices;
using Engram.Models.Native;

// libtorch's generator, thread pool and default type belong to the whole process.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Engram.Torch.Tests.Native;

internal static class LoadLibTorch
{
    [ModuleInitializer]
    internal static void Initialize() => LibTorch.LoadWithTorchSharp();
}
