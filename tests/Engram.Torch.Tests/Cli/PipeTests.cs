using System.Diagnostics;

namespace Engram.Torch.Tests.Cli;

/// <summary>
/// Commands that are given a pipe which nobody writes to, as a shell makes of <c>&lt;(command)</c>: the first signal ends each of them
/// while it waits, and a pipe is read where reading once suffices.
/// </summary>
[Collection(nameof(TrainedRun))]
public sealed class PipeTests(TrainedRun trained)
{
    private const string Pipe = "PIPE",
        Model = "MODEL",
        Output = "OUTPUT";

    // What a thread sleeps in that has opened a pipe for reading, until somebody opens it for writing.
    private const string WaitsForWriter = "wait_for_partner";

    [Theory]
    [InlineData("INT", "eval", "loss", "--model", Model, "--text", Pipe)]
    [InlineData("TERM", "eval", "layers", Model, "--text", Pipe)]
    [InlineData("INT", "eval", "layers", Model, "--few-nerd", Pipe)]
    [InlineData("TERM", "eval", "longppl", Pipe, "--model", Model)]
    [InlineData("INT", "eval", "ruler", "--model", Model, "--essays", Pipe)]
    [InlineData("INT", "eval", Model, "--tasks", Pipe + ".json", "--data-root", ".")]
    [InlineData("TERM", "generate", "--model", Model, "--file", Pipe)]
    [InlineData("INT", "data", "prepare", Pipe, "--output", Output)]
    [InlineData("TERM", "data", "world", "--mix", Pipe, "--output", Output)]
    [InlineData("INT", "tokenizer", "train", Pipe, "--output", Output)]
    [InlineData("TERM", "tokenizer", "encode", "--tokenizer", Pipe, "a")]
    [InlineData("INT", "plan", Pipe)]
    [InlineData("INT", "address", Pipe)]
    [InlineData("TERM", "table", "info", Pipe)]
    [InlineData("INT", "table", "stats", "--model", Model, "--corpus", Pipe)]
    [InlineData("TERM", "study", "plan", Pipe)]
    [InlineData("INT", "quickstart", "--source", Pipe, "--output", Output)]
    public async Task WaitingForAPipe_HearsTheFirstSignal(string signal, params string[] arguments)
    {
        var pipe = await NewPipe(arguments.Contains(Pipe + ".json") ? ".json" : "");
        await EndsWaiting(
            signal,
            [
                .. arguments.Select(argument =>
                    argument switch
                    {
                        Pipe or Pipe + ".json" => pipe,
                        Model => trained.Model,
                        Output => trained[Path.GetRandomFileName()],
                        _ => argument,
                    }
                ),
            ]
        );
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task WaitingForTheRowsOfATask_HearsTheFirstSignal(string signal)
    {
        var root = trained[Path.GetRandomFileName()];
        Directory.CreateDirectory(root);
        var task = Path.Combine(root, "say.json");
        File.WriteAllText(
            task,
            """
            { "task": "say", "version": 1, "description": "d", "kind": "generate", "data": [{ "files": ["rows.jsonl"] }],
              "prompt": "{{ question }}", "references": "answer", "metrics": ["exact_match"], "max_new_tokens": 3 }
            """
        );
        await Shell("mkfifo", Path.Combine(root, "rows.jsonl"));
        await EndsWaiting(signal, ["eval", trained.Model, "--tasks", task, "--data-root", root, "--threads", "1"]);
    }

    [Theory]
    [InlineData("eval", "loss", "--model", Model, "--text", Pipe)]
    [InlineData("tokenizer", "encode", "--tokenizer", Pipe, "a")]
    public async Task WhatIsReadTwice_IsNoPipe(params string[] arguments)
    {
        var pipe = await NewPipe("");
        using var process = CliProcess.Start([.. arguments.Select(argument => argument.Replace(Pipe, pipe).Replace(Model, trained.Model))]);
        await using (await OpenForWriting(pipe)) { }
        var refused = await CliProcess.Finish(process, TestContext.Current.CancellationToken);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains($"{pipe} is a pipe, which can be read once only. Write it to a file first.", refused.ErrorLine);
    }

    [Fact]
    public async Task WhatIsReadOnce_MayBeAPipe()
    {
        var pipe = await NewPipe("");
        using var process = CliProcess.Start(
            "generate",
            "--model",
            trained.Model,
            "--file",
            pipe,
            "--temperature",
            "0",
            "--max-new-tokens",
            "2",
            "--json"
        );
        await using (var writer = await OpenForWriting(pipe))
            await writer.WriteAsync("the mare\n"u8.ToArray(), TestContext.Current.CancellationToken);
        var given = (await CliProcess.Finish(process, TestContext.Current.CancellationToken)).Ok().Json;
        Assert.Equal("the mare", given.GetProperty("prompt").GetString());
    }

    private static async Task EndsWaiting(string signal, string[] arguments)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var process = CliProcess.Start(arguments);
        while (!Waits(process))
        {
            if (process.HasExited)
                Assert.Fail($"{string.Join(' ', arguments)} did not wait: {(await CliProcess.Finish(process, cancellation)).Errors}");
            await Task.Delay(TimeSpan.FromMilliseconds(10), cancellation);
        }
        await Shell("kill", $"-{signal}", $"{process.Id}");
        var ended = await CliProcess.Finish(process, cancellation);
        Assert.Equal(signal == "INT" ? 130 : 143, ended.ExitCode);
        Assert.StartsWith("Interrupted. ", ended.ErrorLine);
    }

    private static bool Waits(Process process)
    {
        try
        {
            return Directory
                .GetDirectories($"/proc/{process.Id}/task")
                .Any(thread => File.ReadAllText(Path.Combine(thread, "wchan")) == WaitsForWriter);
        }
        catch (IOException)
        {
            return false; // a thread or the process ended meanwhile
        }
    }

    private async Task<string> NewPipe(string ending)
    {
        var pipe = trained[Path.GetRandomFileName() + ending];
        await Shell("mkfifo", pipe);
        return pipe;
    }

    /// <summary>A pipe opens for writing once the program has opened it for reading.</summary>
    private static Task<FileStream> OpenForWriting(string pipe) =>
        Task.Run(() => new FileStream(pipe, FileMode.Open, FileAccess.Write), TestContext.Current.CancellationToken);

    private static async Task Shell(string command, params string[] arguments)
    {
        using var run = Process.Start(command, arguments);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, run.ExitCode);
    }
}
