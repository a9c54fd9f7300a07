using Engram.Torch.Native;
using TorchSharp;

namespace Engram.Torch.Tests.Native;

public class MallocTests
{
    private const int Pages = 4096 * 4096 * sizeof(float) / 4096;

    // Tests run on threads that have a heap of their own before the first line of a test; the variable gives them the main one.
    [Fact]
    public Task Tuned_memory_is_used_again_without_page_faults() =>
        ChildProcess.Passes(typeof(MallocTests), nameof(Large_tensors_cost_few_faults), ("MALLOC_ARENA_MAX", "1"));

    [Fact(Explicit = true)]
    public void Large_tensors_cost_few_faults()
    {
        Assert.True(Malloc.Tune());
        var reused = 0;
        for (var i = 0; i < 60; i++)
        {
            var before = MinorFaults();
            Fill();
            if (MinorFaults() - before < Pages / 10)
                reused++;
        }
        // The heap takes a few rounds to settle; untuned, each of the 60 tensors is mapped anew.
        Assert.InRange(reused, 20, 60);
    }

    private static void Fill() => torch.full([4096, 4096], 1f).Dispose();

    // Field 10 of /proc/self/stat; the second field is the program's name in parentheses.
    private static long MinorFaults() => long.Parse(File.ReadAllText("/proc/self/stat").Split(") ")[^1].Split(' ')[7]);
}
