using System.Security.Cryptography;
using System.Text.Json;
using Engram.Corpora;
using Engram.Corpora.World;
using Engram.Tests.Storage;

namespace Engram.Tests.Corpora.World;

public sealed class WorldFolderTests : IDisposable
{
    private static readonly WorldOptions Small = new()
    {
        Facts = 200,
        Tokens = 60_000,
        Window = 32,
        Questions = 50,
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SameOptions_GiveTheSameBytes()
    {
        var first = WorldFolder.Write(Small, _folder.File("a"));
        var second = WorldFolder.Write(Small, _folder.File("b"));
        Assert.Equal(first.Files, second.Files);
        foreach (var (name, sha256) in first.Files)
            Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(_folder.File("b"), name)))));
        var other = WorldFolder.Write(Small with { Seed = 2 }, _folder.File("c"));
        Assert.NotEqual(first.Files["text/part-00000.jsonl"], other.Files["text/part-00000.jsonl"]);
        // Bytes of version 1. Whoever changes them changes WorldOptions.Version, and makes every model trained on such a text useless.
        Assert.Equal("a0a241469797c4106afc819a820eb6ded4c5f7a4bea40c9c19f26533d6b42c86", first.Files["text/part-00000.jsonl"]);
        Assert.Equal("93e7ecda0bca846df7de94f5774d8e880ba305146eaa81e3e089cfecbc1186a5", first.Files["facts.jsonl"]);
        // Whoever changes these changes WorldQuestions.Version.
        Assert.Equal("76ec4dc169a5c9c624079861f58942c2d4ae05d612f8e8a252c7239c9ce8b006", first.Files["questions/two-hop.jsonl"]);
        Assert.Equal("2308b2f3045f2ebdecc7883faca8831e539f39510fce92e94ef3f1440bdd377c", first.Files["questions/passage.jsonl"]);
    }

    /// <summary>The worlds of the studies at size nano, on whose text models are trained: whatever else changes, this must not.</summary>
    [Theory]
    [InlineData(0, "a4705a2f4ca941d3e4f819c4e0f0f674eb13045195a83ddf788514d64cedb721")]
    [InlineData(0.5, "9b886e60bd2262ccba469e51c6067113e285c28384d50ef86f991d32f366c904")]
    [InlineData(1, "6049e042ebef65a838dd6a37a8cef79025c443273ac46db16d3016f6ff321943")]
    public void TextOfStudies_StaysByteForByte(double contiguous, string sha256) =>
        Assert.Equal(
            sha256,
            WorldFolder
                .Write(
                    new()
                    {
                        Facts = 300,
                        Exponent = 0.3,
                        Window = 64,
                        Contiguous = contiguous,
                        Tokens = 600_000,
                        Questions = 1,
                    },
                    _folder.File("world")
                )
                .Files["text/part-00000.jsonl"]
        );

    [Fact]
    public void OlderQuestions_GiveWayToNewOnes_TheTextStays()
    {
        var folder = _folder.File("world");
        var made = WorldFolder.Write(Small, folder);
        var text = Path.Combine(folder, WorldFolder.Text, "part-00000.jsonl");
        var written = File.GetLastWriteTimeUtc(text);
        // As a world of the first version was: its summary says nothing of the questions.
        var summary = Path.Combine(folder, WorldFolder.SummaryFileName);
        File.WriteAllText(
            summary,
            string.Join('\n', File.ReadAllLines(summary).Where(line => !line.Contains("questions_version", StringComparison.Ordinal)))
        );
        Assert.Equal(0, WorldSummary.Read(folder).QuestionsVersion);
        File.WriteAllText(Path.Combine(folder, WorldFolder.QuestionFolder, "two-hop.jsonl"), "{}\n");

        var renewed = WorldFolder.Write(Small, folder);
        Assert.Equal(made.Files, renewed.Files);
        Assert.Equal(WorldQuestions.Version, WorldSummary.Read(folder).QuestionsVersion);
        Assert.Equal(
            made.Files["questions/two-hop.jsonl"],
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, WorldFolder.QuestionFolder, "two-hop.jsonl"))))
        );
        Assert.Equal(written, File.GetLastWriteTimeUtc(text));
    }

    [Fact]
    public void AskedForAgain_IsFound_OtherOptionsAreRefused()
    {
        var folder = _folder.File("world");
        var made = WorldFolder.Write(Small, folder);
        var written = File.GetLastWriteTimeUtc(Path.Combine(folder, "facts.jsonl"));
        Assert.Equal(made.Files, WorldFolder.Write(Small, folder).Files);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(folder, "facts.jsonl")));
        Assert.Contains(
            "other options",
            Assert.Throws<IOException>(() => WorldFolder.Write(Small with { Seed = 9 }, folder)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Text_IsPreparedWithoutLoss_EachWordATokenOfTheWorldsTokenizer()
    {
        var folder = _folder.File("world");
        var summary = WorldFolder.Write(Small, folder);
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(Path.Combine(folder, WorldFolder.Text)),
            _folder.File("data"),
            new PreparationOptions { Tokenizer = Engram.Tokenization.Tokenizer.Load(Path.Combine(folder, "tokenizer.json")) }
        );
        Assert.Equal(summary.Documents, corpus.Summary.Training.Documents + corpus.Summary.Validation.Documents);
        Assert.Equal(summary.Tokens, corpus.Summary.Training.Tokens + corpus.Summary.Validation.Tokens);
    }

    [Fact]
    public void Questions_AreLinesWithTheirFields()
    {
        var folder = _folder.File("world");
        var summary = WorldFolder.Write(Small, folder);
        Assert.Equal(8, summary.Questions.Count);
        foreach (var kind in summary.Questions.Keys)
        {
            var lines = File.ReadAllLines(Path.Combine(folder, WorldFolder.QuestionFolder, $"{kind}.jsonl"));
            Assert.Equal(50, lines.Length);
            using var question = JsonDocument.Parse(lines[0]);
            var root = question.RootElement;
            Assert.Equal(kind, root.GetProperty("kind").GetString());
            Assert.Equal(
                root.GetProperty("answer").GetString(),
                root.GetProperty("choices")[root.GetProperty("gold").GetInt32()].GetString()
            );
            Assert.EndsWith(root.GetProperty("question").GetString()!, root.GetProperty("prompt").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0.25)]
    [InlineData(0.6)]
    public void RealText_IsMixedInAtTheRatio(double ratio)
    {
        File.WriteAllText(
            _folder.File("real.txt"),
            string.Concat(Enumerable.Range(0, 40_000).Select(i => $"Real sentence {i} of a book.\n{(i % 10 == 9 ? "\n" : "")}"))
        );
        var alone = WorldFolder.Write(Small, _folder.File("alone"));
        var mixed = WorldFolder.Write(Small, _folder.File("mixed"), CorpusSource.Open(_folder.File("real.txt")), ratio);
        Assert.Equal(alone.Tokens, mixed.Tokens);
        Assert.Equal(alone.TextBytes / (1 - ratio), mixed.TextBytes, 0.02 * mixed.TextBytes);
        Assert.Equal(alone.Files["facts.jsonl"], mixed.Files["facts.jsonl"]);
    }

    [Fact]
    public void TooLittleRealText_LeavesNothingBehind()
    {
        File.WriteAllText(_folder.File("real.txt"), "Far too little.");
        var error = Assert.Throws<InvalidDataException>(() =>
            WorldFolder.Write(Small, _folder.File("mixed"), CorpusSource.Open(_folder.File("real.txt")))
        );
        Assert.Contains("Give more text", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_folder.File("")));
    }
}
