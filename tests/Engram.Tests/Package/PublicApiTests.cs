using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Tables;
using PublicApiGenerator;

namespace Engram.Tests.Package;

/// <summary>What users of the package compile against. A change of the recorded file is a change of what the library promises.</summary>
public sealed class PublicApiTests
{
    private const int LinesShown = 60;

    [Theory]
    [InlineData(typeof(EngramTable), "public-api.txt")]
    [InlineData(typeof(ModelConfiguration), "public-api-models.txt")]
    [InlineData(typeof(EngramModel), "public-api-inference.txt")]
    public void PublicApi_IsTheRecordedOne(Type member, string file)
    {
        var recordedFile = Path.Combine(Repository.Root, "tests", "Engram.Tests", "Package", file);
        var current =
            member
                .Assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false })
                .ReplaceLineEndings("\n")
                .TrimEnd() + "\n";
        var recorded = File.Exists(recordedFile) ? File.ReadAllText(recordedFile) : "";
        if (current == recorded)
            return;
        var found = Path.Combine(AppContext.BaseDirectory, file);
        File.WriteAllText(found, current);
        Assert.Fail(
            "The public API is not that of "
                + $"{recordedFile}:\n{string.Join('\n', Difference(recorded.Split('\n'), current.Split('\n')).Take(LinesShown))}\n"
                + $"If the change is meant, copy {found} there."
        );
    }

    [Fact]
    public void Difference_ShowsChangesAfterTheLineBefore() =>
        Assert.Equal(["  a", "- b", "+ x", "  d", "+ e"], Difference(["a", "b", "c", "d"], ["a", "x", "c", "d", "e"]));

    /// <summary>Lines removed and added, each change with a line before it, by a longest common subsequence.</summary>
    private static IEnumerable<string> Difference(string[] before, string[] after)
    {
        var common = new ushort[before.Length + 1, after.Length + 1];
        for (var i = before.Length - 1; i >= 0; i--)
        for (var j = after.Length - 1; j >= 0; j--)
            common[i, j] = before[i] == after[j] ? (ushort)(common[i + 1, j + 1] + 1) : Math.Max(common[i + 1, j], common[i, j + 1]);
        string? context = null;
        for (int i = 0, j = 0; i < before.Length || j < after.Length; )
        {
            if (i < before.Length && j < after.Length && before[i] == after[j])
            {
                context = $"  {before[i++]}";
                j++;
                continue;
            }
            if (context is not null)
                yield return context;
            context = null;
            yield return i < before.Length && (j == after.Length || common[i + 1, j] >= common[i, j + 1])
                ? $"- {before[i++]}"
                : $"+ {after[j++]}";
        }
    }
}
