using Engram.Addressing;
using Engram.Addressing.Statistics;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Tables.Cache;
using Engram.Tables.Formats;
using Engram.Tests.Storage;
using Engram.Vocabulary;

namespace Engram.Torch.Tests.Cli;

public sealed class TableStatsTests : IDisposable
{
    private const string Preset = "quickstart-engram";

    private readonly TemporaryFolder _folder = new();

    public TableStatsTests()
    {
        File.WriteAllText(_folder.File("text.txt"), SampleCorpus.Text());
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(_folder.File("text.txt")),
            _folder.File("data"),
            new PreparationOptions { VocabularySize = 300 }
        );
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>The numbers of the command are those of the library, computed here in one piece.</summary>
    [Fact]
    public async Task Json_HasTheNumbersOfTheCorpus()
    {
        var result = (
            await CliProcess.Run(
                "table",
                "stats",
                "--model",
                Preset,
                "--corpus",
                _folder.File("data"),
                "--cache-rows",
                "5",
                "--cache-rows",
                "50",
                "--cache-bytes",
                $"{CachedRowStore.BytesFor(20, RowFormat.Float32, width: 8)}",
                "--json"
            )
        ).Ok();
        var expected = Expected();
        var layer = Assert.Single(result.Json.GetProperty("layers").EnumerateArray());
        Assert.Equal(expected.Positions, result.Json.GetProperty("positions").GetInt64());
        Assert.Equal(expected.Layers[0].Traffic.RowsTouched, layer.GetProperty("rows_touched").GetInt64());
        Assert.Equal(
            expected.Layers[0].Heads.Select(head => head.CollidingNgrams),
            layer.GetProperty("heads").EnumerateArray().Select(head => head.GetProperty("colliding_ngrams").GetInt64())
        );
        Assert.Equal(
            expected.Layers[0].Heads.Select(head => head.ExpectedCollisionRate),
            layer.GetProperty("heads").EnumerateArray().Select(head => head.GetProperty("expected_collision_rate").GetDouble())
        );
        Assert.Equal([5, 20, 50], layer.GetProperty("caches").EnumerateArray().Select(cache => cache.GetProperty("rows").GetInt64()));
        Assert.Equal(expected.Layers[0].Traffic.TopShare(20), layer.GetProperty("caches")[1].GetProperty("fixed_hit_rate").GetDouble(), 12);
        // A cache of the whole table misses first reads alone.
        var whole = (
            await CliProcess.Run("table", "stats", "--model", Preset, "--corpus", _folder.File("data"), "--cache-rows", "27690", "--json")
        )
            .Ok()
            .Json.GetProperty("layers")[0];
        Assert.Equal(
            1 - expected.Layers[0].Traffic.FirstReadShare,
            whole.GetProperty("caches")[0].GetProperty("simulated_hit_rate").GetDouble(),
            12
        );
        Assert.Equal(1, layer.GetProperty("traffic").EnumerateArray().Last().GetProperty("top_share").GetDouble());
    }

    /// <summary>Dead tokens read no rows, in a model and in its statistics.</summary>
    [Fact]
    public async Task DeadTokens_AreNotCounted()
    {
        var alive = Presets.Load("tiny-v41");
        var path = _folder.File("dead.json");
        var counts = new List<long>();
        foreach (
            var dead in (int[][])
                [
                    [],
                    [.. Enumerable.Range(2, 298)],
                ]
        )
        {
            File.WriteAllBytes(
                path,
                ConfigurationFile.Write(alive with { Engram = alive.Engram! with { CompressedVocabularySize = 0, DeadTokenIds = dead } })
            );
            var result = (await CliProcess.Run("table", "stats", "--model", path, "--corpus", _folder.File("data"), "--json")).Ok();
            counts.Add(result.Json.GetProperty("positions").GetInt64());
        }
        using var corpus = PreparedCorpus.Open(_folder.File("data"));
        Assert.Equal(
            [corpus.Training.Count + corpus.Validation.Count, LiveTokens(corpus.Training) + LiveTokens(corpus.Validation)],
            counts
        );
        Assert.InRange(counts[1], 1, counts[0] / 2);

        static long LiveTokens(TokenStream stream)
        {
            var ids = new int[stream.Count];
            stream.CopyTo(0, ids);
            return ids.Count(id => id is < 2 or >= 300);
        }
    }

    [Fact]
    public async Task Memory_ChangesNothing()
    {
        string[] arguments = ["table", "stats", "--model", Preset, "--corpus", _folder.File("data"), "--json"];
        Assert.Equal(
            (await CliProcess.Run(arguments)).Ok().Output,
            (await CliProcess.Run([.. arguments, "--counting-memory", "1048576"])).Ok().Output
        );
    }

    [Fact]
    public async Task TextWithATokenizer_GivesTablesAndAPage()
    {
        var result = (
            await CliProcess.Run(
                "table",
                "stats",
                "--model",
                Preset,
                "--tokenizer",
                _folder.File("data"),
                "--corpus",
                _folder.File("text.txt"),
                "--html",
                _folder.File("page.html")
            )
        ).Ok();
        Assert.Contains("Layer 1 (from 0): 27,690 rows", result.Output);
        Assert.Contains("share all their rows with one other n-gram", result.Output);
        var page = File.ReadAllText(_folder.File("page.html"));
        Assert.Equal(3, page.Split("<svg").Length - 1);
        Assert.DoesNotContain("NaN", page);
    }

    [Theory]
    [InlineData(2, "no memory layer", "--model", Preset, "--layers", "7")]
    [InlineData(2, "has no memory", "--model", "quickstart-moe")]
    [InlineData(2, "one row per head", "--model", "quickstart-engram-one-row")]
    [InlineData(2, "engram_compressed_vocab_size", "--model", "engram-27b")]
    [InlineData(2, "1048576", "--model", Preset, "--counting-memory", "1000")]
    [InlineData(2, "--cache-bytes 40", "--model", Preset, "--cache-bytes", "40")]
    [InlineData(2, "--cache-rows 0", "--model", Preset, "--cache-rows", "0")]
    public async Task WrongValue_IsOneLine(int code, string named, params string[] arguments)
    {
        var result = await CliProcess.Run(["table", "stats", "--corpus", _folder.File("data"), .. arguments]);
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
    }

    [Fact]
    public async Task TextWithoutATokenizer_IsNamed()
    {
        var result = await CliProcess.Run("table", "stats", "--model", Preset, "--corpus", _folder.File("text.txt"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--tokenizer", result.ErrorLine);
    }

    private AddressingStatistics Expected()
    {
        using var corpus = PreparedCorpus.Open(_folder.File("data"));
        var map = CanonicalMap.Build(corpus.Tokenizer);
        var engram = Presets.Load(Preset).Engram! with { CompressedVocabularySize = map.CanonicalVocabularySize };
        using var census = new AddressingCensus(AddressingConstants.Derive(engram.Addressing(map[engram.PadTokenId])));
        foreach (var stream in (TokenStream[])[corpus.Training, corpus.Validation])
        {
            var (ids, starts) = (new int[stream.Count], new bool[stream.Count]);
            stream.CopyTo(0, ids);
            stream.CopyDocumentStartsTo(0, starts);
            census.Add([.. ids.Select(id => map[id])], starts);
        }
        return census.Complete(cancellation: TestContext.Current.CancellationToken);
    }
}
