using Engram.Studies.Processes;

namespace Engram.Torch.Tests.Studies;

public sealed class ChildProcessTests : IDisposable
{
    // A program whose command line begins with an argument of its own, as `dotnet engram.dll` does.
    private static readonly EngramCommand Shell = new("/bin/sh", ["-c"]);

    private readonly string _folder = Directory.CreateTempSubdirectory("engram-child-").FullName;

    private string Log => Path.Combine(_folder, "train.log");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Run_WritesBothStreamsToTheLog()
    {
        await ChildProcess.RunAsync("Test", Shell, ["echo answer; echo note >&2"], Log, TestContext.Current.CancellationToken);

        var lines = await File.ReadAllLinesAsync(Log, TestContext.Current.CancellationToken);
        Assert.Equal("$ /bin/sh -c echo answer; echo note >&2", lines[0]);
        Assert.Equal(["answer", "note"], lines.Skip(1).Order());
    }

    [Fact]
    public async Task Run_Again_AppendsToTheLog()
    {
        await ChildProcess.RunAsync("Test", Shell, ["echo first"], Log, TestContext.Current.CancellationToken);
        await ChildProcess.RunAsync("Test", Shell, ["echo second"], Log, TestContext.Current.CancellationToken);

        var text = await File.ReadAllTextAsync(Log, TestContext.Current.CancellationToken);
        Assert.Contains("\nfirst\n", text);
        Assert.Contains("\nsecond\n", text);
    }

    [Fact]
    public async Task Run_ThatFails_ShowsTheTailOfItsLogAndItsPath()
    {
        // The two streams are copied side by side: the reason comes last where the lines are in the log before it is written.
        var error = await Assert.ThrowsAsync<ChildProcessException>(() =>
            ChildProcess.RunAsync(
                "Training moe (seed 2)",
                Shell,
                [
                    $"for i in $(seq 40); do echo line $i; done; for i in $(seq 3000); do grep -q '^line 40$' '{Log}' && break; sleep 0.1; done; "
                        + "echo the reason >&2; exit 3",
                ],
                Log,
                TestContext.Current.CancellationToken
            )
        );

        Assert.Equal($"Training moe (seed 2) failed with exit code 3. Its log is {Log}", error.Message);
        Assert.Contains("the reason", error.Tail);
        Assert.Contains("line 40", error.Tail);
        Assert.DoesNotContain("line 20", error.Tail);
    }

    [Fact]
    public async Task Run_OfAProgramThatIsNotThere_NamesIt()
    {
        var error = await Assert.ThrowsAsync<ChildProcessException>(() =>
            ChildProcess.RunAsync("Test", new EngramCommand("/nowhere/engram", []), [], Log, TestContext.Current.CancellationToken)
        );

        Assert.Contains("/nowhere/engram", error.Message);
    }

    [Fact]
    public async Task Run_Cancelled_LetsTheProcessEndItsWorkAtTheSignal()
    {
        using var stop = new CancellationTokenSource();
        // The shell runs its trap once the sleep, which gets no signal, is over.
        var run = ChildProcess.RunAsync(
            "Test",
            Shell,
            ["trap 'echo saved; exit 143' TERM; echo ready; while :; do sleep 0.05; done"],
            Log,
            stop.Token
        );
        await UntilLogHolds("\nready\n");

        await stop.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => run);
        Assert.EndsWith("saved\n", await File.ReadAllTextAsync(Log, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Run_CancelledBeforehand_StartsNothing()
    {
        await Assert.ThrowsAsync<OperationCanceledException>(() =>
            ChildProcess.RunAsync("Test", Shell, ["echo"], Log, new CancellationToken(canceled: true))
        );

        Assert.False(File.Exists(Log));
    }

    [Fact]
    public async Task Run_WhoseLogCannotBeWritten_EndsTheProcess()
    {
        // The kernel's own full disk. The process writes for ever; it must neither hang nor go on.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(5));

        await Assert.ThrowsAsync<IOException>(() =>
            ChildProcess.RunAsync("Test", Shell, ["while :; do echo text; done"], "/dev/full", limit.Token)
        );

        Assert.False(limit.IsCancellationRequested, "The process was not ended.");
    }

    [Fact]
    public void Command_OfTheLauncher_HasNoPrefix()
    {
        Assert.Equal(("/opt/engram/engram", 0), Parts(EngramCommand.Of("/opt/engram/engram", "/opt/engram/engram.dll")));

        static (string, int) Parts(EngramCommand command) => (command.FileName, command.Prefix.Count);
    }

    [Fact]
    public void Command_OfDotnet_NamesTheProgram()
    {
        var command = EngramCommand.Of("/usr/share/dotnet/dotnet", "/opt/engram/engram.dll");

        Assert.Equal("/usr/share/dotnet/dotnet", command.FileName);
        Assert.Equal(["/opt/engram/engram.dll"], command.Prefix);
    }

    [Fact]
    public async Task Command_OfThisProgram_StartsIt()
    {
        // This test program lists its tests as the command line asks.
        await ChildProcess.RunAsync(
            "Test",
            EngramCommand.OfThisProgram(),
            ["-list", "classes", "-class", GetType().FullName!],
            Log,
            TestContext.Current.CancellationToken
        );

        Assert.Contains(nameof(ChildProcessTests), await File.ReadAllTextAsync(Log, TestContext.Current.CancellationToken));
    }

    private async Task UntilLogHolds(string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        while (!File.Exists(Log) || !ReadShared(Log).Contains(text))
            await Task.Delay(20, limit.Token);
    }

    private static string ReadShared(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
