using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Engram.Corpora.Files;
using Engram.Tests.Corpora;
using Engram.Tests.Storage;
using Parquet;
using Parquet.Schema;

namespace Engram.Torch.Tests.Cli;

/// <summary>A folder with a file of every kind that a corpus may have, counted, prepared and trained on by the program.</summary>
public sealed class MixedCorpusTests : IDisposable
{
    private const int PerFile = 8;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task EveryKind_InOneFolder_IsCounted_Prepared_AndTrainedOn()
    {
        var (mix, data, run) = (_folder.File("mix"), _folder.File("data"), _folder.File("run"));
        var files = await Write(mix);
        File.WriteAllText(Path.Combine(mix, "README.md"), "What lies here.");

        string[] prepare = ["data", "prepare", mix, "--output", data, "--vocabulary-size", "300", "--validation-fraction", "0.2", "--json"];
        var prepared = (await CliProcess.Run(prepare)).Ok();
        Assert.Contains($"{mix}: {files} files are read; not read: 1 describes the corpus (README.md)", prepared.Errors);
        Assert.Equal(files * PerFile, prepared.Json.GetProperty("deduplication").GetProperty("read").GetInt32());
        Assert.Equal(
            files * PerFile,
            prepared.Json.GetProperty("training").GetProperty("documents").GetInt32()
                + prepared.Json.GetProperty("validation").GetProperty("documents").GetInt32()
        );

        string[] train = ["train", "--preset", "tiny-engram", "--data", data, "--run", run, "--steps", "2", "--batch-size", "2"];
        var trained = (await CliProcess.Run([.. train, "--length", "16", "--validation-sequences", "2", "--threads", "1", "--json"])).Ok();
        Assert.Equal(2 * 2 * 16, trained.Json.GetProperty("tokens").GetInt32());
        Assert.True(double.IsFinite(trained.Json.GetProperty("validation_loss").GetDouble()));
    }

    /// <summary>Writes the files and says how many there are, each with as many documents.</summary>
    private static async Task<int> Write(string mix)
    {
        Directory.CreateDirectory(mix);
        var documents = SampleText.Documents(16 * PerFile).Chunk(PerFile).GetEnumerator();
        string[] Next() => documents.MoveNext() ? [.. ((Document[])documents.Current!).Select(document => document.Text)] : [];
        string Lines() => string.Concat(Next().Select(text => JsonSerializer.Serialize(new { text }) + "\n"));
        string Parts() => string.Join("\n<|endoftext|>\n", Next());
        (string Name, string Content, Func<Stream, Stream> Compress)[] files =
        [
            ("a.txt", Parts(), stream => stream),
            ("b.md", Parts(), stream => stream),
            ("c.jsonl", Lines(), stream => stream),
            ("d.ndjson", Lines(), stream => stream),
            ("e.json", JsonSerializer.Serialize(Next().Select(text => new { text })), stream => stream),
            ("f.csv", "id,text\n" + string.Concat(Next().Select((text, i) => $"{i},\"{text}\"\n")), stream => stream),
            ("g.tsv", "text\tid\n" + string.Concat(Next().Select((text, i) => $"{text}\t{i}\n")), stream => stream),
            ("h.jsonl.gz", Lines(), stream => new GZipStream(stream, CompressionLevel.Fastest)),
            ("i.txt.br", Parts(), stream => new BrotliStream(stream, CompressionLevel.Fastest)),
            ("j.jsonl.zst", Lines(), stream => new ZstdSharp.CompressionStream(stream)),
        ];
        foreach (var (name, content, compress) in files)
        {
            await using var file = File.Create(Path.Combine(mix, name));
            await using var stream = compress(file);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(content));
        }

        var column = new DataField<string>("text");
        await using (var file = File.Create(Path.Combine(mix, "k.parquet")))
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(column), file))
        {
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync(column, Next());
        }
        return files.Length + 1;
    }
}
