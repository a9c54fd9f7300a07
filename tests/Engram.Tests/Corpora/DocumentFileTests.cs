using System.IO.Compression;
using System.Text;
using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Tests.Storage;
using Engram.Tests.Tokenization;
using Parquet;
using Parquet.Schema;

namespace Engram.Tests.Corpora;

/// <summary>Every kind of file gives the same documents, and every damage is named with its place.</summary>
public sealed class DocumentFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two, \\\"2\\\"\"}\n")]
    [InlineData("a.ndjson", "{\"text\":\"one\"}\n{\"text\":\"two, \\\"2\\\"\"}")]
    [InlineData("a.json", "[{\"text\":\"one\"},\n{\"id\":2,\"text\":\"two, \\\"2\\\"\"}]")]
    [InlineData("a.json", "[\"one\", \"two, \\\"2\\\"\"]")]
    [InlineData("lines.json", "{\"text\":\"one\"}\n{\"text\":\"two, \\\"2\\\"\"}")]
    [InlineData("a.csv", "id,text\n1,one\n2,\"two, \"\"2\"\"\"\n")]
    [InlineData("semicolons.CSV", "id;text\r\n1;one\r\n2;\"two, \"\"2\"\"\"\r\n")]
    [InlineData("a.tsv", "text\tid\none\t1\n\"two, \"\"2\"\"\"\t2\n\n")]
    [InlineData("a.txt", "one\n<|endoftext|>\ntwo, \"2\"")]
    public void EveryKind_AlsoCompressed_GivesTheSameTexts(string name, string content)
    {
        var bytes = Encoding.UTF8.GetBytes(content);
        Write(name, bytes, stream => stream);
        Write($"{name}.gz", bytes, stream => new GZipStream(stream, CompressionLevel.Fastest));
        Write($"{name}.br", bytes, stream => new BrotliStream(stream, CompressionLevel.Fastest));
        Write($"{name}.zst", bytes, stream => new ZstdSharp.CompressionStream(stream));
        foreach (var file in (string[])[name, $"{name}.gz", $"{name}.br", $"{name}.zst"])
            Assert.Equal(["one", "two, \"2\""], Texts(file).Select(text => text.TrimEnd('\n')));
    }

    [Fact]
    public async Task Parquet_ReadsTheColumn_OfEveryRowGroup_SkippingNulls()
    {
        await WriteParquet("a.parquet", ["one", null, "two"], ["three"]);
        Assert.Equal([new("a.parquet:1", "one"), new("a.parquet:3", "two"), new("a.parquet:4", "three")], Documents("a.parquet"));
        File.Copy(_folder.File("a.parquet"), _folder.File("copy"));
        Write("b.parquet.zst", File.ReadAllBytes(_folder.File("copy")), stream => new ZstdSharp.CompressionStream(stream));
        Assert.Equal(["one", "two", "three"], Texts("b.parquet.zst"));
        Assert.Contains("a.parquet: no column \"body\"; the file has \"text\", \"id\"", Error("a.parquet", "body"));
        Assert.Contains("a.parquet: column \"id\" holds values, not text", Error("a.parquet", "id"));
    }

    [Theory]
    [InlineData("a.json", "{\"text\":\"a\",}", "a.json:1: not JSON (column")]
    [InlineData("a.json", "[{\"text\":\"a\"},\n{\"text\":3}]", "a.json[1]: field \"text\" is Number, not a string")]
    [InlineData("a.json", "7", "a.json: expected a JSON object, found Number")]
    [InlineData("a.csv", "id,body\n1,x\n", "a.csv: no column \"text\"; the header has \"id\", \"body\"")]
    [InlineData("a.csv", "id,text\n1,x\n2,y,z\n", "a.csv:3: 3 values, but the header has 2 columns")]
    [InlineData("a.parquet", "PAR1 and no more", "a.parquet: no readable Parquet")]
    [InlineData("a.txt.gz", "no gzip", "a.txt.gz: damaged .gz data")]
    [InlineData("a.txt.zst", "no zstandard", "a.txt.zst: damaged .zst data")]
    [InlineData("a.txt.br", "no brotli, surely not", "a.txt.br: damaged .br data")]
    public void Damage_IsNamedWithItsPlace_AndSkippedWhenAsked(string name, string content, string message)
    {
        File.WriteAllText(_folder.File(name), content);
        Assert.Contains(message, Error(name, "text"));
        File.WriteAllText(_folder.File("good.txt"), "good");
        var told = new List<string>();
        var source = CorpusSource.Open(_folder.File(""), new CorpusOptions { SkipBad = true });
        Assert.Equal("good", source.Read(told.Add).Last().Text);
        Assert.Contains(message, Assert.Single(told));
        var ended = Assert.Throws<InvalidDataException>(() => CorpusSource.Open(_folder.File("")).Read().ToList());
        Assert.StartsWith(_folder.File(message), ended.Message);
        Assert.Contains("--skip-bad", ended.Message);
    }

    /// <summary>
    /// Every prefix of a compressed or binary file is read or refused by name, never silently shortened to less than its whole lines.
    /// </summary>
    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    [InlineData(".br")]
    public void TruncatedCompression_IsRefused(string compression)
    {
        var random = new Random(5);
        var bytes = Encoding.UTF8.GetBytes(
            string.Join('\n', Enumerable.Range(0, 400).Select(_ => $"{{\"text\":\"{random.Next()} {random.Next()}\"}}"))
        );
        Write(
            $"whole.jsonl{compression}",
            bytes,
            stream =>
                compression switch
                {
                    ".gz" => new GZipStream(stream, CompressionLevel.Fastest),
                    ".br" => new BrotliStream(stream, CompressionLevel.Fastest),
                    _ => new ZstdSharp.CompressionStream(stream),
                }
        );
        var whole = File.ReadAllBytes(_folder.File($"whole.jsonl{compression}"));
        for (var cut = 1; cut < whole.Length - 16; cut += whole.Length / 20)
        {
            File.WriteAllBytes(_folder.File($"cut.jsonl{compression}"), whole[..cut]);
            Assert.StartsWith($"cut.jsonl{compression}", Error($"cut.jsonl{compression}", "text"));
        }
    }

    [Fact]
    public void BadLines_OfManyFiles_AreCountedByPreparation()
    {
        var texts = SampleText.Documents(300);
        for (var i = 0; i < 300; i++)
            File.WriteAllText(_folder.File($"{i:000}.jsonl"), i % 10 == 3 ? "{\"text\":" : $"{{\"text\":\"{texts[i].Text}\"}}");
        var told = 0;
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(_folder.File(""), new CorpusOptions { SkipBad = true }),
            Path.Combine(_folder.File(""), "..", Path.GetFileName(_folder.File("")) + "-data"),
            new PreparationOptions { VocabularySize = 300 },
            skipped: _ => told++
        );
        try
        {
            Assert.Equal((30, 30), (told, corpus.Summary.SkippedBad));
            Assert.Equal(270, corpus.Summary.Deduplication.Read);
        }
        finally
        {
            Directory.Delete(corpus.Folder, recursive: true);
        }
    }

    [Fact]
    public void TemplatedDocuments_AreNotLeftOutSilently()
    {
        const string form =
            "this record of one entry among the many entries of the same long and boring form begins with words that never change and "
            + "ends with others that do for every single one";
        var random = new Random(3);
        File.WriteAllLines(
            _folder.File("a.jsonl"),
            Enumerable.Range(0, 60).Select(_ => $"{{\"text\":\"{form} {SampleText.Sentence(random, 8)}\"}}")
        );
        var error = Assert.Throws<InvalidDataException>(() =>
            DataPreparation.Prepare(
                CorpusSource.Open(_folder.File("a.jsonl")),
                _folder.File("data"),
                new PreparationOptions { VocabularySize = 300 }
            )
        );
        Assert.Contains("documents for training share half of their three-word sequences or more with one for validation", error.Message);
        Assert.False(Directory.Exists(_folder.File("data")));
    }

    [Fact]
    public void DatasetFolder_OfPublicShape_IsReadWithoutItsReadme()
    {
        var folder = TestData.Find("cases/23-dataset-folder");
        Assert.SkipUnless(folder is not null, "cases/23-dataset-folder is absent: set ENGRAM_TEST_DATA to the folder that holds it.");
        var source = CorpusSource.Open(folder!);
        Assert.DoesNotContain(source.Files, file => file.EndsWith("README.md", StringComparison.Ordinal));
        Assert.NotEmpty(source.Read());
    }

    private string Error(string name, string field) =>
        Assert
            .Throws<InvalidDataException>(() =>
                CorpusSource.Open(_folder.File(name), new CorpusOptions { TextField = field }).Read().ToList()
            )
            .Message;

    private List<Document> Documents(string name) => [.. CorpusSource.Open(_folder.File(name)).Read()];

    private IEnumerable<string> Texts(string name) => Documents(name).Select(document => document.Text);

    private void Write(string name, byte[] bytes, Func<Stream, Stream> compress)
    {
        using var file = File.Create(_folder.File(name));
        using var stream = compress(file);
        stream.Write(bytes);
    }

    private async Task WriteParquet(string name, params string?[][] groups)
    {
        var (text, id) = (new DataField<string>("text"), new DataField<int>("id"));
        await using var file = File.Create(_folder.File(name));
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(text, id), file);
        foreach (var group in groups)
        {
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync(text, group!);
            await rows.WriteAsync<int>(id, new int[group.Length]);
        }
    }
}
