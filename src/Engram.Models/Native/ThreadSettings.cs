using TorchSharp;

namespace Engram.Models.Native;

/// <summary>How many threads one tensor operation may use. A matter of the whole process.</summary>
public static class ThreadSettings
{
    /// <summary>Threads inside one operation (matrix products, large elementwise work). Set it before the first operation: sums may be ordered differently with another count, so it belongs beside every recorded result.</summary>
    /// <value>At least 1. libtorch's default is one per core; several processes side by side want 1 each.</value>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    /// <exception cref="LibTorchException">libtorch cannot be loaded.</exception>
    public static int IntraOperation
    {
        get
        {
            LibTorch.EnsureLoaded();
            return torch.get_num_threads();
        }
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            LibTorch.EnsureLoaded();
            torch.set_num_threads(value);
        }
    }
}
