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
    [InlineData("'--speed'", "tokenizer", "inspect", "--tokenizer", "tokenizer.json", "text", "--speed")]
    public async Task WrongUsage_IsOneLine_WithExitCode2(string named, params string[] arguments)
    {
        var result = await CliProcess.Run(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Contains(named, result.ErrorLine);
        Assert.Contains("--help", result.ErrorLine);
    }
}
