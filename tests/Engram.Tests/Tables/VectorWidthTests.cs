using System.Diagnostics;
using System.Numerics;
using Engram.Tests.Tables.Formats;
using Engram.Tests.Tables.Training;

namespace Engram.Tests.Tables;

/// <summary>The tests of vector code, once more with narrower vectors and with none, each in a process of its own.</summary>
public class VectorWidthTests
{
    internal const string ExpectedBits = "ENGRAM_TEST_VECTOR_BITS";
    internal const string ExpectedTier = "ENGRAM_TEST_CODEC_TIER";

    internal static string Bits => Vector.IsHardwareAccelerated ? (Vector<float>.Count * 32).ToString() : "none";

    [Theory]
    [InlineData("DOTNET_EnableAVX2", "128")]
    [InlineData("DOTNET_EnableHWIntrinsic", "none")]
    public Task Row_optimizers_hold_at_every_width(string disabled, string expectedBits) =>
        RunAgain(
            [typeof(RowAdamTests), typeof(RowOptimizerTests), typeof(RowSinkhornTests), typeof(RowGradientsTests), typeof(BFloat16Tests)],
            (disabled, "0"),
            (ExpectedBits, expectedBits)
        );

    [Theory]
    [InlineData("DOTNET_EnableAVX512", "256")]
    [InlineData("DOTNET_EnableAVX2", "none")]
    [InlineData("DOTNET_EnableHWIntrinsic", "none")]
    public Task Codecs_hold_in_every_tier(string disabled, string expectedTier)
    {
        Assert.SkipUnless(
            CodecTests.Tier != "none" && (expectedTier == "none" || CodecTests.Tier == "512"),
            $"This processor has no wider tier than {expectedTier}."
        );
        return RunAgain([typeof(CodecTests)], (disabled, "0"), (ExpectedTier, expectedTier));
    }

    private static async Task RunAgain(Type[] tests, params (string Name, string Value)[] environment)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "Engram.Tests");
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && File.Exists(program),
            "The test program is started as an executable beside its library."
        );
        var start = new ProcessStartInfo(program, [.. tests.SelectMany(test => new[] { "-class", test.FullName! }), "-noColor"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var child = Process.Start(start)!;
        var output = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode == 0, output);
        Assert.Matches(@"Total: [1-9]\d+, Errors: 0, Failed: 0, Skipped: 0", output);
    }
}
