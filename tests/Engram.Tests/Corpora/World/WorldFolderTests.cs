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
        // Bytes of version 1. Whoever changes them changes WorldOptions.Version.
        Assert.Equal("a0a241469797c4106afc819a820eb6ded4c5f7a4bea40c9c19f26533d6b42c86", first.Files["text/part-00000.jsonl"]);
        Assert.Equal("93e7ecda0bca846df7de94f5774d8e880ba305146eaa81e3e089cfecbc1186a5", first.Files["facts.jsonl"]);
        Assert.Equal("38e32fbccc9179b8afb55e87e3911ed1d8f843a88a80a68dd21b978a87f1323e", first.Files["questions/two-hop.jsonl"]);
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
