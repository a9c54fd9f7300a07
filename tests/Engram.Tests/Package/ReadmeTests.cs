namespace Engram.Tests.Package;

public sealed class ReadmeTests
{
    /// <summary>A package's README shows code that is compiled, and run by <see cref="LookUpTests"/> or <c>tests/package.sh</c>.</summary>
    [Theory]
    [InlineData("Engram", "LookUp", "look-up")]
    [InlineData("Engram.Inference", "Generate", "generate")]
    public void Readme_ShowsTheRegionOfTheSample(string project, string program, string name)
    {
        var sample = File.ReadAllLines(Path.Combine(Repository.Root, "samples", program, "Program.cs"));
        var region = sample
            .SkipWhile(line => line.Trim() != $"// docs: begin {name}")
            .Skip(1)
            .TakeWhile(line => line.Trim() != $"// docs: end {name}")
            .ToList();
        Assert.NotEmpty(region);
        var indent = region.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        var code = string.Join('\n', region.Select(line => line.Length > 0 ? line[indent..] : line));
        Assert.Contains($"```csharp\n{code}\n```", File.ReadAllText(Path.Combine(Repository.Root, "src", project, "README.md")));
    }
}
