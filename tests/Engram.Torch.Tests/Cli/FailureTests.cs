using System.Text.Json;
using Engram.Cli;
using Engram.Cli.CommandLine;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Cli;

public sealed class FailureTests
{
    [Fact]
    public async Task MissingFile_IsOneLine_WithExitCode1()
    {
        var result = await CliProcess.Run("tokenizer", "encode", "--tokenizer", "nowhere/tokenizer.json", "text");
        Assert.Equal(1, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Contains("nowhere/tokenizer.json", result.ErrorLine);
        Assert.StartsWith("engram tokenizer encode: ", result.ErrorLine);
    }

    [Theory]
    [InlineData("address", "nowhere.json")]
    [InlineData("study", "report", "allocation", "--size", "nano", "--results", "nowhere.json", "--runs", "runs of mine")]
    public async Task MissingFile_IsNamedWithTheRemedy(params string[] arguments)
    {
        var result = await CliProcess.Run(arguments);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(
            arguments[0] == "address"
                ? "There is no file 'nowhere.json': check the path."
                : "engram study run allocation --size nano --runs 'runs of mine' --results nowhere.json --text PATH",
            result.ErrorLine
        );
    }

    [Fact]
    public async Task DamagedFile_IsOneLine_WithExitCode1()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("tokenizer.json");
        File.WriteAllText(path, "{ \"model\": ");
        var result = await CliProcess.Run("tokenizer", "inspect", "--tokenizer", path);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(path, result.ErrorLine);
    }

    [Fact]
    public async Task Debug_AddsTheStackTrace()
    {
        var result = await CliProcess.Run("tokenizer", "encode", "--tokenizer", "nowhere.json", "text", "--debug");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("FileNotFoundException", result.Errors);
        Assert.Contains("   at Engram.Tokenization.Tokenizer.Load", result.Errors);
    }

    [Theory]
    [InlineData("'tokenise'", "tokenise")]
    [InlineData("'--tokenizer' is required", "tokenizer", "encode", "text")]
    [InlineData("'abc'", "table", "bench", "--table-gib", "abc")]
    [InlineData("--threads must be at least 1", "table", "bench", "--threads", "0")]
    [InlineData("'abc'", "eval", "loss", "--model", "m", "--data", "d", "--threads", "abc")]
    [InlineData("--steps: '0,5' is no whole number", "train", "--preset", "tiny", "--data", "d", "--run", "r", "--steps", "0,5")]
    [InlineData("not 'of'", "eval", "world", "w", "--model", "m", "--memory", "on,of")]
    [InlineData("is off has no part", "eval", "ruler", "--model", "m", "--memory", "on,off", "--suppress", "all")]
    [InlineData("--resume needs --samples", "eval", "ruler", "--model", "m", "--resume")]
    [InlineData("'--speed'", "tokenizer", "inspect", "--tokenizer", "tokenizer.json", "text", "--speed")]
    public async Task WrongUsage_IsOneLine_WithExitCode2(string named, params string[] arguments)
    {
        var result = await CliProcess.Run(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Contains(named, result.ErrorLine);
        Assert.Contains("--help", result.ErrorLine);
    }

    [Fact]
    public void Bounds_AreSaidInPlainWords() =>
        Assert.Equal(
            "must be at least 256, not 10.",
            Failure.Plain(Assert.ThrowsAny<ArgumentException>(() => ArgumentOutOfRangeException.ThrowIfLessThan(10, 256, "length")))
        );

    /// <summary>Exit code 2 is for the parser, for refused options, and for what a command refuses by name.</summary>
    [Theory]
    [MemberData(nameof(Thrown))]
    public void ExitCode_SaysWhoIsAtFault(int code, Action work)
    {
        var parsed = CommandTree.Create().Parse("eval loss --model m --data d");
        Assert.Equal(code, Failure.Report(parsed, Assert.ThrowsAny<Exception>(work)));
    }

    public static TheoryData<int, Action> Thrown() =>
        new()
        {
            { 2, () => throw new UsageException("--length 0 is none.") },
            { 2, () => throw new ArgumentException("Too long.", "length") },
            { 2, () => ArgumentOutOfRangeException.ThrowIfLessThan(0, 1, "length") },
            { 1, () => throw new ArgumentException("The texts hold fewer than 4 places to compare.", "texts") },
            { 1, () => new Dictionary<string, int> { ["acc"] = 1 }.Add("acc", 2) },
            { 1, () => JsonSerializer.Serialize(double.NaN) },
            { 1, () => "text".AsSpan().ToString().Substring(0, "longer".Length) }, // the runtime's "length"
            { 1, () => throw new InvalidDataException("A file is damaged.") },
        };
}
