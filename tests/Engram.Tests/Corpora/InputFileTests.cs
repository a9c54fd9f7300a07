using System.Diagnostics;
using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Tests.Storage;

namespace Engram.Tests.Corpora;

public sealed class InputFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_AreReadAndOpened()
    {
        var path = _folder.File("a.txt");
        File.WriteAllText(path, "the mare");
        Assert.Equal("the mare"u8, InputFile.ReadAllBytes(path, default));
        Assert.Equal("the mare", InputFile.ReadAllText(path, default));
        using var file = InputFile.Open(path, default);
        Assert.Equal(8, file.Length);
        InputFile.RequireNoPipe(path, default);
        InputFile.RequireNoPipe(_folder.File("absent"), default);
        InputFile.RequireNoPipe(_folder.File(""), default);
        InputFile.RequireNoPipe(null, default);
        Assert.Throws<FileNotFoundException>(() => InputFile.Open(_folder.File("absent"), default));
    }

    [Fact]
    public async Task WaitingForAPipe_IsCancelled()
    {
        var pipe = await Pipe("pipe.txt");
        using var stop = new CancellationTokenSource();
        Action<CancellationToken>[] waits =
        [
            token => InputFile.ReadAllBytes(pipe, token),
            token => InputFile.Open(pipe, token),
            token => InputFile.RequireNoPipe(pipe, token),
            token => CorpusSource.Open(_folder.File("")).Fingerprint(token),
            token => CorpusSource.Open(pipe).Read(cancellation: token).ToList(),
        ];
        // They end although nobody ever writes; where they wait, nothing but the cancellation can end them.
        var ended = waits.Select(wait => Task.Run(() => Record.Exception(() => wait(stop.Token)))).ToArray();
        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(ended), error => Assert.IsAssignableFrom<OperationCanceledException>(error));
        // Whoever was left waiting goes on once somebody writes.
        await using var writer = new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite);
    }

    [Fact]
    public async Task APipe_IsReadOnce_AndRefusedWhereItIsReadAgain()
    {
        var pipe = await Pipe("pipe.txt");
        var written = Task.Run(() => File.WriteAllText(pipe, "the mare"));
        Assert.Equal("the mare"u8, InputFile.ReadAllBytes(pipe, default));
        await written;

        var held = Task.Run(() => new FileStream(pipe, FileMode.Open, FileAccess.Write));
        Assert.Contains("can be read once only", Assert.Throws<IOException>(() => InputFile.Open(pipe, default)).Message);
        (await held).Dispose();
    }

    private async Task<string> Pipe(string name)
    {
        using var made = Process.Start("mkfifo", [_folder.File(name)]);
        await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, made.ExitCode);
        return _folder.File(name);
    }
}
