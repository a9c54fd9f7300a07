using System.Runtime.InteropServices;
using Engram.Torch.Native;
using Engram.Torch.Tests.Kernels;

namespace Engram.Torch.Tests.Native;

public partial class OpenMpTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    [Fact]
    public void The_packaged_libtorch_lends_its_threads() => Assert.True(OpenMp.Available);

    [Fact]
    public void Waiting_briefly_reaches_the_native_environment_unless_the_user_decides()
    {
        var decided = Environment.GetEnvironmentVariable("GOMP_SPINCOUNT") ?? Environment.GetEnvironmentVariable("OMP_WAIT_POLICY");
        Assert.Equal(decided is null, ThreadSettings.WaitBriefly());
        if (decided is null)
            Assert.Equal("2000", Marshal.PtrToStringUTF8(getenv("GOMP_SPINCOUNT")));
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(64)]
    public void Every_part_runs_once(int parts)
    {
        var runs = new int[parts];
        for (var round = 0; round < 50; round++)
            OpenMp.For(parts, part => Interlocked.Increment(ref runs[part]));
        Assert.All(runs, count => Assert.Equal(50, count));
    }

    [Fact]
    public void Parts_run_at_the_same_time()
    {
        using var _ = new Threads(2);
        using var meeting = new Barrier(2);
        var met = new bool[2];
        OpenMp.For(2, part => met[part] = meeting.SignalAndWait(Patience));
        Assert.Equal([true, true], met);
    }

    [Fact]
    public void An_exception_comes_back_and_the_threads_serve_on()
    {
        using var _ = new Threads(2);
        for (var round = 0; round < 3; round++)
        {
            var thrown = Assert.Throws<FormatException>(() => OpenMp.For(2, _ => throw new FormatException("of a part")));
            Assert.Equal("of a part", thrown.Message);
        }

        var sum = 0;
        OpenMp.For(2, part => Interlocked.Add(ref sum, part + 1));
        Assert.Equal(3, sum);
    }

    [Fact]
    public void Several_callers_and_collections_do_not_disturb_each_other()
    {
        var sums = new long[4];
        var callers = Enumerable
            .Range(0, sums.Length)
            .Select(caller => new Thread(() =>
            {
                for (var round = 0; round < 200; round++)
                    OpenMp.For(2, part => Interlocked.Add(ref sums[caller], new int[100 + part].Length));
            }))
            .ToList();
        callers.ForEach(caller => caller.Start());
        for (var i = 0; i < 20; i++)
            GC.Collect();
        Assert.All(callers, caller => Assert.True(caller.Join(Patience)));
        Assert.All(sums, sum => Assert.Equal(200 * 201, sum));
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint getenv(string name);
}
