using System.Runtime.InteropServices;
using TorchSharp;

namespace Engram.Torch.Native;

/// <summary>How many threads one tensor operation may use. A matter of the whole process.</summary>
public static partial class ThreadSettings
{
    private const string SpinCount = "GOMP_SPINCOUNT";
    private const string WaitPolicy = "OMP_WAIT_POLICY";

    /// <summary>
    /// Threads inside one operation (matrix products, large elementwise work). Set it before the first operation: sums may be ordered
    /// differently with another count, so it belongs beside every recorded result.
    /// </summary>
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

    /// <summary>
    /// Lets threads that wait for the next operation sleep soon. By default those of the packaged libtorch spin for milliseconds, in which
    /// another process on the same core cannot work, nor, if it has the core, the thread that is waited for. For host programs, before
    /// libtorch is loaded; a user's own setting of either variable stands.
    /// </summary>
    /// <remarks>
    /// Training the quickstart's model on two cores, thousands of tokens a second, medians of runs in turns: alone 8.9 by default, 9.4 and
    /// 10.2 with 1,000 and 4,000 turns of waiting; beside one busy process 1.6 by default, 2.3 with the 2,000 set here.
    /// </remarks>
    /// <returns>Whether the setting was made here.</returns>
    public static bool WaitBriefly()
    {
        const string turns = "2000";
        if (
            !OperatingSystem.IsLinux()
            || Environment.GetEnvironmentVariable(SpinCount) is not null
            || Environment.GetEnvironmentVariable(WaitPolicy) is not null
        )
            return false;
        // The runtime's own copy of the environment is not what native libraries read.
        return setenv(SpinCount, turns, 0) == 0;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
