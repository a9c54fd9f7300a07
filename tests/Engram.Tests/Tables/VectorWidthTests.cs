using System.Diagnostics;
using System.Numerics;

namespace Engram.Tests.Tables;

/// <summary>The tests of vector code, once more with narrower vectors and with none, each in a process of its own.</summary>
public class VectorWidthTests
{
    internal const string ExpectedBits = "ENGRAM_TEST_VECTOR_BITS";

    internal static string Bits => Vector.IsHardwareAccelerated ? (Vector<float>.Count * 32).ToString() : "none";

    [Theory]
    [InlineData("DOTNET_EnableAVX2", "128")]
    [InlineData("DOTNET_EnableHWIntrinsic", "none")]
    public async Task Row_optimizer_holds_at_every_width(string disabled, string expectedBits)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "Engram.Tests");
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists(program), "The test program is started as an executable beside its library.");
        var start = new ProcessStartInfo(program, ["-class", typeof(RowAdamTests).FullName!, "-noColor"])
        {
            RedirectStandardOutput = true,
            Environment = { [disabled] = "0", [ExpectedBits] = expectedBits },
        };
        using var child = Process.Start(start)!;
        var output = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode == 0, output);
        Assert.Matches(@"Total: [1-9]\d, Errors: 0, Failed: 0, Skipped: 0", output);
    }
}
