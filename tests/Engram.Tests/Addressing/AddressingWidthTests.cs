using System.Diagnostics;
using System.Runtime.Intrinsics;
using Engram.Addressing;

namespace Engram.Tests.Addressing;

/// <summary>The tests of addressing, once more with narrower vectors and with none, each in a process of its own.</summary>
public class AddressingWidthTests
{
    internal const string ExpectedBits = "ENGRAM_TEST_ADDRESSING_VECTOR_BITS";

    [Theory]
    [InlineData("DOTNET_EnableAVX512", "256")]
    [InlineData("DOTNET_EnableAVX2", "128")]
    [InlineData("DOTNET_EnableHWIntrinsic", "none")]
    public async Task Addressing_holds_at_every_width(string disabled, string expectedBits)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "Engram.Tests");
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && File.Exists(program),
            "The test program is started as an executable beside its library."
        );
        Assert.SkipUnless(expectedBits != "256" || Vector256.IsHardwareAccelerated, "This processor has no 256-bit vectors.");
        string[] classes = [typeof(OrderHeadsTests).FullName!, typeof(TileMixesTests).FullName!, typeof(NgramAddresserTests).FullName!];
        var start = new ProcessStartInfo(program, [.. classes.SelectMany(name => new[] { "-class", name }), "-noColor"])
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

    /// <summary>
    /// The widest vectors are tested in this process: on a processor without them that tier is skipped visibly, never passed.
    /// </summary>
    [Fact]
    public void Addressing_is_tested_with_the_widest_vectors()
    {
        Assert.SkipUnless(Vector512.IsHardwareAccelerated, "This processor has no 512-bit vectors.");
        Assert.Equal(8, new OrderHeads([.. Enumerable.Repeat(2_262_409L, 8)], new long[8]).Lanes);
    }
}
