using System.Text.Json.Nodes;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Cli;

public sealed class AddressTests
{
    private static string Golden => Path.Combine(Repository.Root, "tests", "Engram.Tests", "Addressing", "golden", "addressing.json");

    [Fact]
    public async Task GoldenFile_IsReproduced() =>
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse(File.ReadAllText(Golden)),
                JsonNode.Parse((await CliProcess.Run("address", Golden)).Ok().Output)
            )
        );

    [Fact]
    public async Task InputFieldsAlone_GiveTheGoldenFile()
    {
        var golden = JsonNode.Parse(File.ReadAllText(Golden))!;
        var input = golden.DeepClone().AsArray();
        foreach (var one in input)
            Assert.True(one!.AsObject().Remove("perLayer"));
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("cases.json"), input.ToJsonString());
        Assert.True(JsonNode.DeepEquals(golden, JsonNode.Parse((await CliProcess.Run("address", folder.File("cases.json"))).Ok().Output)));
    }

    [Fact]
    public async Task TokenOutOfRange_IsNamed()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("case.json");
        File.WriteAllText(
            path,
            """{"name":"x","compressedVocabularySize":10,"layers":[0],"slotsPerOrder":[13],"headsPerOrder":1,"seed":0,"padId":0,"tokens":[3,10]}"""
        );
        var result = await CliProcess.Run("address", path);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(path, result.ErrorLine);
        Assert.Contains("10", result.ErrorLine);
    }
}
