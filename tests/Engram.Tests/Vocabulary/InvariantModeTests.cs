using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Engram.Tests.Storage;
using Engram.Tests.Tokenization;
using Engram.Vocabulary;

namespace Engram.Tests.Vocabulary;

/// <summary>
/// Globalization-invariant mode, in which the framework leaves text un-normalised without an error. It is fixed at the start of a process,
/// hence the child.
/// </summary>
public sealed class InvariantModeTests
{
    [Fact]
    public async Task InvariantMode_IsRefusedWhereItWouldBeWrong()
    {
        using var folder = new TemporaryFolder();
        var assembly = typeof(InvariantModeTests).Assembly.Location;
        var configuration = JsonNode.Parse(
            await File.ReadAllTextAsync(Path.ChangeExtension(assembly, "runtimeconfig.json"), TestContext.Current.CancellationToken)
        )!;
        configuration["runtimeOptions"]!["configProperties"]!["System.Globalization.Invariant"] = true;
        await File.WriteAllTextAsync(folder.File("invariant.json"), configuration.ToJsonString(), TestContext.Current.CancellationToken);

        // <dotnet>/shared/Microsoft.NETCore.App/<version>/
        var dotnet = Path.Combine(
            RuntimeEnvironment.GetRuntimeDirectory(),
            "..",
            "..",
            "..",
            OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"
        );
        var start = new ProcessStartInfo(dotnet)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                "exec",
                "--runtimeconfig",
                folder.File("invariant.json"),
                "--depsfile",
                Path.ChangeExtension(assembly, "deps.json"),
                assembly,
                "-class",
                typeof(InvariantModeTests).FullName!,
                "-explicit",
                "only",
                "-noColor",
            },
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken) + await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(
            process.ExitCode == 0 && output.Contains("Total: 5, Errors: 0, Failed: 0, Skipped: 0, Not Run: 1", StringComparison.Ordinal),
            output
        );
    }

    [Fact(Explicit = true)]
    public void Child_RunsInInvariantMode() => Assert.Equal("é", "é".Normalize(NormalizationForm.FormD));

    [Fact(Explicit = true)]
    public void Child_BuildingAMap_NamesTheRemedy()
    {
        var message = Assert.Throws<PlatformNotSupportedException>(() => CanonicalMap.Build(new TinyTokenizer().Build())).Message;
        Assert.Contains("globalization-invariant mode", message);
        Assert.Contains("Install ICU", message);
        Assert.Throws<PlatformNotSupportedException>(() => CanonicalMap.KeyOf(new TinyTokenizer().Build(), 0));
    }

    [Fact(Explicit = true)]
    public void Child_LoadingAMap_Works()
    {
        Assert.Equal(2, CanonicalMap.FromStored([0, 1, 1], "addressing.json").CanonicalVocabularySize);
        Assert.Equal(3, CanonicalMap.Identity(3).CanonicalVocabularySize);
    }

    [Fact(Explicit = true)]
    public void Child_TokenizerThatNormalizes_IsRefused() =>
        Assert.Throws<PlatformNotSupportedException>(() =>
            new TinyTokenizer().With("normalizer", JsonNode.Parse("""{ "type": "NFC" }""")).Build()
        );
}
