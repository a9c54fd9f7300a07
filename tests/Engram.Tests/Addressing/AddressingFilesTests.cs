using System.Text;
using System.Text.Json.Nodes;
using Engram.Addressing;
using Engram.Tests.Storage;
using Engram.Vocabulary;

namespace Engram.Tests.Addressing;

public sealed class AddressingFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("addressing.json");

    public void Dispose() => _folder.Dispose();

    private static byte[] Golden =>
        File.ReadAllBytes(System.IO.Path.Combine(AppContext.BaseDirectory, "Addressing", "golden", "addressing.json"));

    /// <summary>
    /// Multipliers, primes and rows of three published cases, to the byte: two public configurations and a small one with unequal slots.
    /// </summary>
    [Fact]
    public void Golden_cases_come_out_exactly()
    {
        var golden = Encoding.UTF8.GetString(Golden).Trim();
        Assert.Equal(golden, Encoding.UTF8.GetString(AddressingCases.Complete(Golden, "golden")));

        var inputs = JsonNode.Parse(golden)!.AsArray();
        Assert.Equal(["january-demo", "v4.1", "tiny"], inputs.Select(one => (string)one!["name"]!));
        foreach (var one in inputs)
            one!.AsObject().Remove("perLayer");
        Assert.Equal(golden, Encoding.UTF8.GetString(AddressingCases.Complete(Encoding.UTF8.GetBytes(inputs.ToJsonString()), "inputs")));
    }

    [Fact]
    public void One_case_without_array_comes_out_as_one()
    {
        var golden = JsonNode.Parse(Golden)!.AsArray();
        var tiny = golden[2]!.ToJsonString();
        golden[2]!.AsObject().Remove("perLayer");
        Assert.Equal(
            tiny,
            Encoding.UTF8.GetString(AddressingCases.Complete(Encoding.UTF8.GetBytes("\n " + golden[2]!.ToJsonString()), "tiny"))
        );
    }

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("nonsense", "invalid")]
    [InlineData("null", "null")]
    [InlineData("[null]", "null")]
    [InlineData("{}", "compressedVocabularySize")]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":[0],"slotsPerOrder":[10],"headsPerOrder":1,"seed":0,"padId":0}""",
        "tokens"
    )]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":[0],"slotsPerOrder":[10],"headsPerOrder":1,"sed":0,"padId":0,"tokens":[]}""",
        "sed"
    )]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":null,"slotsPerOrder":[10],"headsPerOrder":1,"seed":0,"padId":0,"tokens":[]}""",
        "layers"
    )]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":[0],"slotsPerOrder":[10],"headsPerOrder":1,"seed":0,"seed":1,"padId":0,"tokens":[]}""",
        "seed"
    )]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":[0],"slotsPerOrder":[1],"headsPerOrder":1,"seed":0,"padId":0,"tokens":[]}""",
        "1 slots"
    )]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":[0],"slotsPerOrder":[10],"headsPerOrder":1,"seed":0,"padId":0,"tokens":[5]}""",
        "id 5 at position 0"
    )]
    [InlineData(
        """{"name":"x","compressedVocabularySize":5,"layers":[0],"slotsPerOrder":[10],"headsPerOrder":1,"seed":0,"padId":0,"tokens":[1.5]}""",
        "tokens"
    )]
    public void A_wrong_case_is_one_clear_error(string json, string expected)
    {
        var error = Assert.Throws<InvalidDataException>(() => AddressingCases.Complete(Encoding.UTF8.GetBytes(json), "spec.json"));
        Assert.StartsWith("spec.json: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.OrdinalIgnoreCase);
    }

    private static ModelAddressing Sample() =>
        new(
            AddressingConstants.Derive(
                new AddressingSpec
                {
                    CompressedVocabularySize = 5,
                    Layers = [1, 3],
                    SlotsPerOrder = [11, 13],
                    HeadsPerOrder = 2,
                    Seed = 9,
                    PadId = 2,
                }
            ),
            CanonicalMap.FromStored([0, 1, 2, 1, 3, 4, 4], "test"),
            "sha256:abc"
        );

    [Fact]
    public void A_saved_file_loads_as_it_was_and_the_same_content_gives_the_same_bytes()
    {
        var sample = Sample();
        sample.Save(Path);
        var bytes = File.ReadAllBytes(Path);
        var loaded = ModelAddressing.Load(Path, "sha256:abc");
        Assert.Equal(sample.Constants.Spec, loaded.Constants.Spec);
        Assert.Equal(sample.CanonicalMap.Map.ToArray(), loaded.CanonicalMap.Map.ToArray());
        Assert.Equal(sample.TokenizerFingerprint, loaded.TokenizerFingerprint);
        Assert.Equal(sample.Constants.Layers.Select(layer => layer.TotalRows), loaded.Constants.Layers.Select(layer => layer.TotalRows));
        loaded.Save(Path);
        Assert.Equal(bytes, File.ReadAllBytes(Path));
        Assert.Equal(["addressing.json"], _folder.Names());
    }

    /// <summary>The file itself, so that a change of format does not pass unseen.</summary>
    [Fact]
    public void The_file_begins_with_the_specification_and_ends_with_the_map()
    {
        Sample().Save(Path);
        var text = File.ReadAllText(Path);
        const string start =
            """{"compressedVocabularySize":5,"layers":[1,3],"slotsPerOrder":[11,13],"headsPerOrder":2,"seed":9,"padId":2,"tokenizerFingerprint":"sha256:abc","perLayer":[{"layer":1,"multipliers":[""";
        const string middle = """],"primes":[[11,13],[17,19]],"offsets":[0,11,24,41],"totalRows":60},{"layer":3,"multipliers":[""";
        // The hash is that of 0, 1, 2, 1, 3, 4, 4 as little-endian 32-bit integers.
        const string end = """],"mapSha256":"e39585345b8b52a25c3edef7394c2ff40a3d935e97399a3d5e508e78981f2b61","map":[0,1,2,1,3,4,4]}""";
        Assert.StartsWith(start, text, StringComparison.Ordinal);
        Assert.Contains(middle, text, StringComparison.Ordinal);
        Assert.EndsWith(end, text, StringComparison.Ordinal);
    }

    public static TheoryData<string, Action<JsonObject>, string> Changes =>
        new()
        {
            { "multiplier", o => o["perLayer"]![1]!["multipliers"]![0] = 3, "Layer 3, multipliers: the file says [3, " },
            {
                "prime",
                o => o["perLayer"]![0]!["primes"]![1]![0] = 23,
                "primes of order 3: the file says [23, 19], its specification gives [17, 19]"
            },
            { "orders", o => o["perLayer"]![0]!["primes"]!.AsArray().RemoveAt(1), "number of orders" },
            {
                "offset",
                o => o["perLayer"]![0]!["offsets"]![1] = 12,
                "offsets: the file says [0, 12, 24, 41], its specification gives [0, 11, 24, 41]"
            },
            { "rows", o => o["perLayer"]![0]!["totalRows"] = 61, "total rows: the file says [61], its specification gives [60]" },
            { "index", o => o["perLayer"]![0]!["layer"] = 2, "index: the file says [2]" },
            { "layer missing", o => o["perLayer"]!.AsArray().RemoveAt(1), "constants of 1 layers" },
            { "layer null", o => o["perLayer"]![1] = null, "Layer 3: the constants are null" },
            { "seed", o => o["seed"] = 10, "Layer 1, multipliers" },
            { "vocabulary larger", o => o["compressedVocabularySize"] = 6, "The map has 5 canonical ids, the specification 6" },
            { "vocabulary far larger", o => o["compressedVocabularySize"] = 1 << 29, "The map has 5 canonical ids" },
            { "vocabulary smaller", o => o["compressedVocabularySize"] = 4, "The map has 5 canonical ids, the specification 4" },
            { "pad", o => o["padId"] = 5, "pad id 5" },
            { "map", o => o["map"]![1] = 2, "SHA-256" },
            { "map with a gap", o => o["map"]![4] = 1, "3" },
            { "map hash", o => o["mapSha256"] = "00", "the file says 00" },
            { "fingerprint", o => o["tokenizerFingerprint"] = "other", "belongs to the tokenizer other, the one in use is sha256:abc" },
            { "fingerprint empty", o => o["tokenizerFingerprint"] = " ", "tokenizerFingerprint" },
            { "unknown field", o => o["bias"] = 1, "bias" },
            { "missing field", o => o.Remove("map"), "map" },
        };

    [Theory, MemberData(nameof(Changes))]
    public void Any_change_is_found_and_named(string what, Action<JsonObject> change, string expected)
    {
        Assert.NotEmpty(what);
        Sample().Save(Path);
        var content = JsonNode.Parse(File.ReadAllBytes(Path))!.AsObject();
        change(content);
        File.WriteAllText(Path, content.ToJsonString());
        var error = Assert.Throws<InvalidDataException>(() => ModelAddressing.Load(Path, "sha256:abc"));
        Assert.StartsWith(Path, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Truncated_and_missing_files_are_refused()
    {
        Sample().Save(Path);
        var bytes = File.ReadAllBytes(Path);
        for (var length = 0; length < bytes.Length; length += 7)
        {
            File.WriteAllBytes(Path, bytes[..length]);
            Assert.Throws<InvalidDataException>(() => ModelAddressing.Load(Path));
        }
        Assert.Throws<FileNotFoundException>(() => ModelAddressing.Load(_folder.File("none.json")));
    }

    [Fact]
    public void A_map_of_another_size_is_refused() =>
        Assert.Throws<ArgumentException>(() => new ModelAddressing(Sample().Constants, CanonicalMap.Identity(4), "x"));
}
