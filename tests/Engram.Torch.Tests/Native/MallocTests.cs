using Engram.Models.Native;
using TorchSharp;

namespace Engram.Torch.Tests.Native;

public class MallocTests
{
    private const int Pages = 4096 * 4096 * sizeof(float) / 4096;

    [Fact]
    public Task Tuned_memory_is_used_again_without_page_faults() => ChildProcess.Passes(typeof(MallocTests), nameof(Large_tensors_cost_few_faults));

    [Fact(Explicit = true)]
    public void Large_tensors_cost_few_faults()
    {
        Assert.True(Malloc.Tune());
        // A new thread takes one of the heaps that exist, in turn; untuned, every one of them would map each tensor anew.
        var fewest = long.MaxValue;
        for (var turn = 0; turn < 64 && fewest > Pages; turn++)
        {
            var thread = new Thread(() => fewest = Math.Min(fewest, FaultsOfTenTensors()));
            thread.Start();
            thread.Join();
        }
        Assert.InRange(fewest, 0, Pages);
    }

    private static long FaultsOfTenTensors()
    {
        Fill();
        var before = MinorFaults();
        for (var i = 0; i < 10; i++) Fill();
        return MinorFaults() - before;
    }

    private static void Fill() => torch.full([4096, 4096], 1f).Dispose();

    // Field 10 of /proc/self/stat; the second field is the program's name in parentheses.
    private static long MinorFaults() => long.Parse(File.ReadAllText("/proc/self/stat").Split(") ")[^1].Split(' ')[7]);
}
