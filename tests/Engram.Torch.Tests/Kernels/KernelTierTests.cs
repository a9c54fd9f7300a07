using System.Diagnostics;
using System.Runtime.Intrinsics;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Optimizers;

namespace Engram.Torch.Tests.Kernels;

/// <summary>The tests of kernels, once more with narrower vectors and with none, each in a process of its own.</summary>
public class KernelTierTests
{
    internal const string ExpectedTier = "ENGRAM_TEST_KERNEL_TIER";

    private static readonly Type[] Kernels =
    [
        typeof(KernelTierOfThisProcess),
        typeof(SoftmaxRowTests),
        typeof(SinkhornKernelTests),
        typeof(HyperConnectionKernelTests),
        typeof(ContextGateKernelTests),
        typeof(ShortConvolutionKernelTests),
        typeof(RmsNormKernelTests),
        typeof(SwiGluKernelTests),
        typeof(LinearCrossEntropyKernelTests),
        typeof(GroupedMatmulTests),
        typeof(MuonKernelTests),
    ];

    internal static string Tier =>
        Vector512.IsHardwareAccelerated ? "512"
        : Vector256.IsHardwareAccelerated ? "256"
        : Vector128.IsHardwareAccelerated ? "128"
        : "none";

    [Fact]
    public void Every_test_of_a_kernel_runs_in_every_tier()
    {
        var tests = typeof(KernelTierTests)
            .Assembly.GetTypes()
            .Where(type =>
                type != typeof(KernelTierTests)
                && (type.Namespace == typeof(KernelTierTests).Namespace || type.Name.EndsWith("KernelTests", StringComparison.Ordinal))
                && type.Name.EndsWith("Tests", StringComparison.Ordinal)
                && type.Namespace?.Contains("Inference", StringComparison.Ordinal) != true
            ); // those of the managed engine run all tiers themselves
        Assert.Empty(tests.Except(Kernels).Select(type => type.Name));
    }

    [Theory]
    [InlineData("DOTNET_EnableAVX512", "256")]
    [InlineData("DOTNET_EnableAVX2", "128")]
    [InlineData("DOTNET_EnableHWIntrinsic", "none")]
    public async Task Kernels_hold_in_every_tier(string disabled, string expectedTier)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "Engram.Torch.Tests");
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && File.Exists(program),
            "The test program is started as an executable beside its library."
        );
        Assert.SkipUnless(
            Tier != "none" && string.CompareOrdinal(Tier, expectedTier) != 0,
            $"This processor has no wider tier than {expectedTier}."
        );
        var start = new ProcessStartInfo(program, [.. Kernels.SelectMany(test => new[] { "-class", test.FullName! }), "-noColor"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment[disabled] = "0";
        start.Environment[ExpectedTier] = expectedTier;
        using var child = Process.Start(start)!;
        var output = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode == 0, output);
        Assert.Matches(@"Total: [1-9]\d+, Errors: 0, Failed: 0, Skipped: 0", output);
    }
}

/// <summary>
/// Says whether a process has the tier it was started for: switches of the runtime that are no longer heeded would otherwise pass unseen.
/// </summary>
public class KernelTierOfThisProcess
{
    [Fact]
    public void Is_the_one_it_was_started_for() =>
        Assert.Equal(Environment.GetEnvironmentVariable(KernelTierTests.ExpectedTier) ?? KernelTierTests.Tier, KernelTierTests.Tier);
}
