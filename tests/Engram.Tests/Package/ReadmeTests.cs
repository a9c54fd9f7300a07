namespace Engram.Tests.Package;

public sealed class ReadmeTests
{
    private const string Begin = "// docs: begin look-up";
    private const string End = "// docs: end look-up";

    /// <summary>The package's README shows code that is compiled, and run by <see cref="LookUpTests"/>.</summary>
    [Fact]
    public void Readme_ShowsTheRegionOfTheSample()
    {
        var sample = File.ReadAllLines(Path.Combine(Repository.Root, "samples", "LookUp", "Program.cs"));
        var region = sample.SkipWhile(line => line.Trim() != Begin).Skip(1).TakeWhile(line => line.Trim() != End).ToList();
        Assert.NotEmpty(region);
        var indent = region.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        var code = string.Join('\n', region.Select(line => line.Length > 0 ? line[indent..] : line));
        Assert.Contains($"```csharp\n{code}\n```", File.ReadAllText(Path.Combine(Repository.Root, "src", "Engram", "README.md")));
    }
}
