using System.Diagnostics;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Engram.Tests.Corpora;
using Engram.Tests.Storage;
using Microsoft.Win32.SafeHandles;

namespace Engram.Torch.Tests.Cli;

/// <summary>What shells, terminals and tired people do to the program.</summary>
public sealed class HardKnocksTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--temperature", "0,8", "'0,8' is no number")]
    [InlineData("--top-p", "NaN", "'NaN' is no number")]
    [InlineData("--temperature", "1e400", "'1e400' is no number")]
    [InlineData("--seed", "1,000", "'1,000'")]
    [InlineData("--threads", "100000", "--threads must be at most")]
    public async Task NumbersOfOtherHabits_AreRefused(string option, string value, string message)
    {
        var result = await CliProcess.Run("generate", "--model", "absent", "--prompt", "a", option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.ErrorLine);
    }

    [Fact]
    public async Task Train_IntoAFolderOfSomethingElse_LeavesItAsItIs()
    {
        File.WriteAllText(_folder.File("text.txt"), string.Join("\n\n", SampleText.Documents(80).Select(document => document.Text)));
        var data = _folder.File("data");
        (
            await CliProcess.Run(
                "data",
                "prepare",
                _folder.File("text.txt"),
                "--output",
                data,
                "--vocabulary-size",
                "300",
                "--most-left-out",
                "1"
            )
        ).Ok();
        Directory.CreateDirectory(_folder.File("mine"));
        File.WriteAllText(_folder.File("mine/config.json"), "mine");
        foreach (var folder in (string[])[_folder.File("mine"), data])
        {
            var before = Directory.GetFiles(folder).Order().Select(file => (file, File.GetLastWriteTimeUtc(file))).ToList();
            var result = await CliProcess.Run("train", "--preset", "tiny", "--data", data, "--run", folder, "--steps", "1");
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("holds something else than a run", result.ErrorLine);
            Assert.Equal(before, Directory.GetFiles(folder).Order().Select(file => (file, File.GetLastWriteTimeUtc(file))));
        }
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("HUP", 129)]
    public async Task WaitingForInput_HearsTheFirstSignal(string signal, int exitCode)
    {
        var tokenizer = _folder.File("tokenizer.json");
        File.WriteAllText(_folder.File("text.txt"), "the horse and the mare");
        (await CliProcess.Run("tokenizer", "train", _folder.File("text.txt"), "--output", tokenizer, "--vocabulary-size", "270")).Ok();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        using var process = CliProcess.Start("tokenizer", "encode", "--tokenizer", tokenizer);
        // Once the program has taken these characters out of the pipe it waits for more of the text.
        await process.StandardInput.WriteAsync("the ");
        await process.StandardInput.FlushAsync(limit.Token);
        while (Unread(process.StandardInput) > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(10), limit.Token);
        using (var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]))
            await kill.WaitForExitAsync(limit.Token);
        Assert.Equal(exitCode, (await CliProcess.Finish(process, limit.Token)).ExitCode);
    }

    /// <summary>Its number goes to a pipe of the runtime, from which nothing ever comes.</summary>
    [Fact]
    public async Task ClosedInput_IsAnError_AndNoHang()
    {
        var tokenizer = _folder.File("tokenizer.json");
        File.WriteAllText(_folder.File("text.txt"), "the horse and the mare");
        (await CliProcess.Run("tokenizer", "train", _folder.File("text.txt"), "--output", tokenizer, "--vocabulary-size", "270")).Ok();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        string[] command = ["-c", "exec \"$0\" tokenizer encode --tokenizer \"$1\" <&-", CliProcess.Program, tokenizer];
        using var shell = Process.Start(
            new ProcessStartInfo("bash", command) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var closed = await CliProcess.Finish(shell, limit.Token);
        Assert.Equal(1, closed.ExitCode);
        Assert.Contains("stdin is closed", closed.ErrorLine);
    }

    [Fact]
    public async Task ControlCharacters_DoNotReachTheTerminal()
    {
        var tokenizer = _folder.File("tokenizer.json");
        File.WriteAllText(_folder.File("text.txt"), "the horse and the mare");
        (await CliProcess.Run("tokenizer", "train", _folder.File("text.txt"), "--output", tokenizer, "--vocabulary-size", "270")).Ok();
        var shown = (await CliProcess.Run("tokenizer", "inspect", "--tokenizer", tokenizer, "a\e[31mred\u202eb\u009bc")).Ok().Output;
        Assert.Contains("␛", shown);
        Assert.DoesNotContain(shown, letter => (char.IsControl(letter) && letter != '\n') || letter == '\u202e');
    }

    /// <summary>Bytes in a pipe that its reader has not taken.</summary>
    private static int Unread(StreamWriter pipe)
    {
        Assert.Equal(0, ControlDevice(((AnonymousPipeClientStream)pipe.BaseStream).SafePipeHandle, BytesToRead, out var bytes));
        return bytes;
    }

    private const nuint BytesToRead = 0x541B; // FIONREAD of Linux

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static extern int ControlDevice(SafePipeHandle file, nuint request, out int value);

    /// <summary>Progress that cannot be written is dropped; the answer is still given.</summary>
    [Theory]
    [InlineData("2>/dev/full")]
    [InlineData("2>&-")]
    public async Task UnwritableStderr_DoesNotEndTheWork(string redirection)
    {
        File.WriteAllText(_folder.File("text.txt"), string.Join("\n\n", SampleText.Documents(80).Select(document => document.Text)));
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        using var shell = Process.Start(
            new ProcessStartInfo(
                "sh",
                [
                    "-c",
                    $"'{CliProcess.Program}' data prepare '{_folder.File("text.txt")}' --output '{_folder.File("data")}' "
                        + $"--vocabulary-size 300 --most-left-out 1 --json {redirection}",
                ]
            )
            {
                RedirectStandardOutput = true,
            }
        )!;
        var output = await shell.StandardOutput.ReadToEndAsync(limit.Token);
        await shell.WaitForExitAsync(limit.Token);
        Assert.Equal(0, shell.ExitCode);
        Assert.Contains("vocabulary_size", output);
    }

    [Fact]
    public async Task SuggestedCommands_QuotePaths()
    {
        File.WriteAllText(_folder.File("text.txt"), string.Join("\n\n", SampleText.Documents(80).Select(document => document.Text)));
        var result = (
            await CliProcess.Run(
                "data",
                "prepare",
                _folder.File("text.txt"),
                "--output",
                _folder.File("my data's"),
                "--vocabulary-size",
                "300",
                "--most-left-out",
                "1"
            )
        ).Ok();
        Assert.Contains($"--data '{_folder.File(@"my data'\''s")}' --run", result.Output);
    }
}
