using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

/// <summary>Sets the number of threads for one test and restores it.</summary>
internal sealed class Threads : IDisposable
{
    private readonly int _before = get_num_threads();

    public Threads(int count) => set_num_threads(count);

    public void Dispose() => set_num_threads(_before);
}
