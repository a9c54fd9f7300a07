using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Tests.Storage;

namespace Engram.Tests.Corpora;

public sealed class CorpusSourceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TextFile_IsOneDocument()
    {
        var documents = Read("a.txt", "\uFEFFfirst\n\nsecond, with <|endoftext|> inside a line\n");
        Assert.Equal([new Document("a.txt", "first\n\nsecond, with <|endoftext|> inside a line\n")], documents);
    }

    [Fact]
    public void TextFile_SeparatorLines_DivideDocuments()
    {
        var documents = Read("a.txt", "<|endoftext|>\none\n<|endoftext|>\r\n<|endoftext|>\ntwo\nlines\n<|endoftext|>");
        Assert.Equal(["one\n", "two\nlines\n"], documents.Select(document => document.Text));
        Assert.Equal(["a.txt#2", "a.txt#4"], documents.Select(document => document.Name));
    }

    [Fact]
    public void TextFile_NotUtf8_NamesFileAndByte()
    {
        File.WriteAllBytes(_folder.File("latin1.txt"), [.. "caf"u8, 0xE9, .. " noir"u8]);
        var error = Assert.Throws<InvalidDataException>(() => CorpusSource.Open(_folder.File("latin1.txt")).Read().ToList());
        Assert.Contains("latin1.txt: not UTF-8 text (byte 3)", error.Message);
    }

    [Fact]
    public void JsonLines_ReadTheNamedField_SkippingEmptyLinesAndTexts()
    {
        var documents = Read(
            "a.jsonl",
            """{"id":1,"content":"one \u00e9"}""" + "\n\n" + """{"content":" "}""" + "\r\n" + """{"content":"two"}""",
            new CorpusOptions { TextField = "content" }
        );
        Assert.Equal([new Document("a.jsonl:1", "one é"), new Document("a.jsonl:4", "two")], documents);
    }

    [Theory]
    [InlineData("{\"text\":\"a\"}\n{\"text\":", "a.jsonl:2: not JSON")]
    [InlineData("{\"text\":\"a\"}\n\n[1]", "a.jsonl:3: expected a JSON object, found Array")]
    [InlineData("{\"content\":\"a\",\"id\":1}", "a.jsonl:1: no field \"text\"; the line has \"content\", \"id\"")]
    [InlineData("{}", "a.jsonl:1: no field \"text\"; the line has no fields")]
    [InlineData("{\"text\":7}", "a.jsonl:1: field \"text\" is Number, not a string")]
    [InlineData("{\"text\":\"\\ud800\"}", "a.jsonl:1: field \"text\" holds half a surrogate pair")]
    public void JsonLines_BadLine_NamesFileAndLine(string content, string message)
    {
        var error = Assert.Throws<InvalidDataException>(() => Read("a.jsonl", content));
        Assert.Contains(message, error.Message);
    }

    [Fact]
    public void JsonLines_NotUtf8_NamesFile()
    {
        File.WriteAllBytes(_folder.File("a.jsonl"), [.. "{\"text\":\""u8, 0xFF, .. "\"}"u8]);
        var error = Assert.Throws<InvalidDataException>(() => CorpusSource.Open(_folder.File("a.jsonl")).Read().ToList());
        Assert.Contains("a.jsonl: not UTF-8 text", error.Message);
    }

    [Fact]
    public void Folder_IsReadInOrdinalOrder_WithoutOtherFiles()
    {
        foreach (
            var name in (string[])
                ["b.txt", "B.md", "sub/a.txt", "sub.txt", "c.png", "README.md", "sub/LICENSE.txt", ".hidden.txt", "z.jsonl"]
        )
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(name))!);
            File.WriteAllText(_folder.File(name), name.EndsWith("jsonl") ? "{\"text\":\"z\"}" : name);
        }
        var source = CorpusSource.Open(_folder.File(""));
        Assert.Equal(["B.md", "b.txt", "sub.txt", "sub/a.txt", "z"], source.Read().Select(document => document.Text));
        Assert.Equal(
            [new("README.md", "describes the corpus"), new("c.png", "not text"), new("sub/LICENSE.txt", "describes the corpus")],
            source.LeftOut
        );
    }

    [Fact]
    public void Folder_LinkedToItself_IsNotFollowed()
    {
        File.WriteAllText(_folder.File("a.txt"), "text");
        Directory.CreateSymbolicLink(_folder.File("loop"), _folder.File(""));
        Assert.Single(CorpusSource.Open(_folder.File("")).Read());
    }

    [Fact]
    public void Folder_WithoutText_IsAnError() =>
        Assert.Contains(
            "holds no file that can be read (.txt, .md, .jsonl",
            Assert.Throws<InvalidDataException>(() => CorpusSource.Open(_folder.File(""))).Message
        );

    [Fact]
    public void MissingPath_IsAnError() =>
        Assert.Contains("dotnet-docs", Assert.Throws<FileNotFoundException>(() => CorpusSource.Open(_folder.File("absent"))).Message);

    [Fact]
    public void MaxDocuments_StopsReading()
    {
        var path = SampleText.WriteJsonLines(_folder.File("a.jsonl"), ["a", "b", "c"]);
        Assert.Equal(["a", "b"], CorpusSource.Open(path, new CorpusOptions { MaxDocuments = 2 }).Read().Select(document => document.Text));
        Assert.Throws<ArgumentOutOfRangeException>(() => CorpusSource.Open(path, new CorpusOptions { MaxDocuments = 0 }));
    }

    [Fact]
    public void Fingerprint_ChangesWithContentNamesAndOptions_NotWithPlace()
    {
        File.WriteAllText(_folder.File("a.txt"), "text");
        Directory.CreateDirectory(_folder.File("copy"));
        File.WriteAllText(_folder.File("copy/a.txt"), "text");
        File.WriteAllText(_folder.File("copy/b.txt"), "text");
        var original = CorpusSource.Open(_folder.File("a.txt")).Fingerprint();
        Assert.Equal(original, CorpusSource.Open(_folder.File("copy/a.txt")).Fingerprint());
        Assert.NotEqual(original, CorpusSource.Open(_folder.File("copy/b.txt")).Fingerprint());
        Assert.NotEqual(original, CorpusSource.Open(_folder.File("a.txt"), new CorpusOptions { MaxDocuments = 1 }).Fingerprint());
        File.WriteAllText(_folder.File("a.txt"), "texT");
        Assert.NotEqual(original, CorpusSource.Open(_folder.File("a.txt")).Fingerprint());
    }

    private List<Document> Read(string name, string content, CorpusOptions? options = null)
    {
        File.WriteAllText(_folder.File(name), content);
        return [.. CorpusSource.Open(_folder.File(name), options).Read()];
    }
}
