using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Tests.Storage;
using Engram.Tests.Tokenization;

namespace Engram.Tests.Corpora;

public sealed class DataPreparationTests : IDisposable
{
    private static readonly PreparationOptions Small = new() { VocabularySize = 300 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void DotnetDocs_ArePrepared()
    {
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(CorpusSource.DotnetDocs, new CorpusOptions { MaxDocuments = 6000 }),
            _folder.File("data"),
            new PreparationOptions { VocabularySize = 1024 }
        );
        var summary = corpus.Summary;
        Assert.Equal((0, 1), (corpus.Tokenizer.TokenToId("<|endoftext|>"), corpus.Tokenizer.TokenToId("<|pad|>")));
        Assert.Equal(1024, corpus.Tokenizer.VocabularySize);
        Assert.Equal(6000, summary.Deduplication.Read);
        Assert.Equal(summary.Deduplication.Kept, summary.Training.Documents + summary.Validation.Documents);
        // Drawn before training loses what is like it, which is much: members of one type are documented in the same words.
        Assert.InRange(
            summary.Validation.Documents / (double)(summary.Deduplication.Kept + summary.Deduplication.NearValidation),
            0.049,
            0.051
        );
        Assert.InRange(summary.Deduplication.NearValidation, 10, summary.Training.Documents / 5);
        Assert.InRange(summary.Training.BytesPerToken, 2.5, 5);
        Assert.False(summary.CutIntoParagraphGroups);
        AssertIdsAreTheText(corpus);
    }

    [Fact]
    public void Speeches_GiveAboutFivePercentOfTheDocumentsForValidation()
    {
        if (TestData.Find("speeches") is not { } speeches)
        {
            Assert.Skip("speeches/ is absent: set ENGRAM_TEST_DATA to the folder that holds it.");
            return;
        }
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(speeches),
            _folder.File("data"),
            new PreparationOptions { VocabularySize = 512 }
        );
        Assert.Equal(124, corpus.Summary.Deduplication.Kept);
        Assert.Equal(6, corpus.Summary.Validation.Documents);
        AssertIdsAreTheText(corpus);
        Assert.Equal(64, new ValidationBatches(corpus, 64, 8, 128).Sequences);
    }

    [Fact]
    public void SameCorpus_InAnotherOrder_GivesTheSameBytes()
    {
        var documents = SampleText.Documents(300);
        using var one = Prepare(documents, "one");
        Array.Reverse(documents);
        using var other = Prepare(documents, "other");
        foreach (var name in (string[])["tokenizer.json", "train-0000.tok", "train-0000.doc", "validation-0000.tok", "validation-0000.doc"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(one.Folder, name)), File.ReadAllBytes(Path.Combine(other.Folder, name)));
        Assert.Equal(15, one.Summary.Validation.Documents);
    }

    [Fact]
    public void FinishedFolder_IsUsedAgain()
    {
        var documents = SampleText.Documents(100);
        Prepare(documents, "data").Dispose();
        var path = _folder.File("data/train-0000.tok");
        var written = File.GetLastWriteTimeUtc(path);
        var stages = new Stages();
        using var again = DataPreparation.Prepare(CorpusSource.Open(_folder.File("data.jsonl")), _folder.File("data"), Small, stages);
        Assert.Empty(stages.Seen);
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
        using var given = DataPreparation.Prepare(
            CorpusSource.Open(_folder.File("data.jsonl")),
            _folder.File("given"),
            Small with
            {
                Tokenizer = again.Tokenizer,
            },
            stages
        );
        Assert.Equal(Enum.GetValues<PreparationStage>().Except([PreparationStage.TrainingTokenizer]), stages.Seen);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder.File("given/train-0000.tok")));
    }

    [Fact]
    public void FolderWithSomethingElse_IsLeftAsItWas()
    {
        Prepare(SampleText.Documents(100), "data").Dispose();
        var source = CorpusSource.Open(_folder.File("data.jsonl"));
        Assert.Contains(
            "other text, options or tokenizer",
            Assert
                .Throws<IOException>(() => DataPreparation.Prepare(source, _folder.File("data"), Small with { VocabularySize = 301 }))
                .Message
        );
        Directory.CreateDirectory(_folder.File("photos"));
        File.WriteAllText(_folder.File("photos/cat"), "cat");
        Assert.Contains(
            "holds no prepared data",
            Assert.Throws<IOException>(() => DataPreparation.Prepare(source, _folder.File("photos"), Small)).Message
        );
        Assert.Contains(
            "is a file",
            Assert.Throws<IOException>(() => DataPreparation.Prepare(source, _folder.File("data.jsonl"), Small)).Message
        );
        Directory.CreateDirectory(_folder.File("empty"));
        DataPreparation.Prepare(source, _folder.File("empty"), Small).Dispose();
    }

    [Theory]
    [InlineData(PreparationStage.Reading)]
    [InlineData(PreparationStage.LeavingOutDuplicates)]
    [InlineData(PreparationStage.TrainingTokenizer)]
    [InlineData(PreparationStage.Encoding)]
    public void Cancelled_LeavesNothing(PreparationStage stage)
    {
        var path = SampleText.WriteJsonLines(_folder.File("a.jsonl"), SampleText.Documents(5000));
        using var cancellation = new CancellationTokenSource();
        var progress = new Stages
        {
            Reached = report =>
            {
                if (report.Stage == stage)
                    cancellation.Cancel();
            },
        };
        Assert.ThrowsAny<OperationCanceledException>(() =>
            DataPreparation.Prepare(CorpusSource.Open(path), _folder.File("data"), Small, progress, cancellation: cancellation.Token)
        );
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder.File("")));
    }

    [Fact]
    public void SpecialTokensInText_StayText()
    {
        var texts = SampleText
            .Documents(40)
            .Select(document => document.Text + " <|endoftext|><|pad|> <<|endoftext|>|endoftext|>")
            .ToArray();
        var path = SampleText.WriteJsonLines(_folder.File("a.jsonl"), texts);
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(path), _folder.File("data"), Small);
        Assert.Equal(
            texts.Order(StringComparer.Ordinal),
            Texts(corpus.Training, corpus).Concat(Texts(corpus.Validation, corpus)).Order(StringComparer.Ordinal)
        );
        AssertIdsAreTheText(corpus);
    }

    [Fact]
    public void OneLongText_IsCutIntoParagraphGroups()
    {
        var random = new Random(1);
        var text = string.Join("\n\n", Enumerable.Range(0, 400).Select(_ => SampleText.Sentence(random, 30)));
        File.WriteAllText(_folder.File("book.txt"), text);
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(_folder.File("book.txt")), _folder.File("data"), Small);
        Assert.True(corpus.Summary.CutIntoParagraphGroups);
        Assert.InRange(corpus.Summary.Deduplication.Kept, text.Length / 4000, text.Length / 2000);
        Assert.Equal(text.Length, corpus.Summary.Training.TextBytes + corpus.Summary.Validation.TextBytes);
    }

    [Theory]
    [InlineData("", "is empty: 1 file(s), no text")]
    [InlineData("  \n ", "is empty")]
    [InlineData("just one short text", "has 1 of 1 documents left without duplicates")]
    public void TooLittleText_IsOneClearError(string content, string message)
    {
        File.WriteAllText(_folder.File("a.txt"), content);
        var error = Assert.Throws<InvalidDataException>(() =>
            DataPreparation.Prepare(CorpusSource.Open(_folder.File("a.txt")), _folder.File("data"), Small)
        );
        Assert.Contains(message, error.Message);
        Assert.Equal(["a.txt"], _folder.Names());
        Assert.False(Directory.Exists(_folder.File("data")));
    }

    [Fact]
    public void AnotherTokenizer_IsRefused()
    {
        using var one = Prepare(SampleText.Documents(100, seed: 1), "one");
        using var other = Prepare(SampleText.Documents(100, seed: 2), "other");
        one.RequireTokenizer(one.Tokenizer);
        var error = Assert.Throws<InvalidDataException>(() => one.RequireTokenizer(other.Tokenizer));
        Assert.Contains(one.Tokenizer.Fingerprint, error.Message);
        Assert.Contains(other.Tokenizer.Fingerprint, error.Message);

        File.Copy(_folder.File("other/tokenizer.json"), _folder.File("one/tokenizer.json"), overwrite: true);
        Assert.Contains(
            "prepared with the tokenizer",
            Assert.Throws<InvalidDataException>(() => PreparedCorpus.Open(_folder.File("one"))).Message
        );
    }

    [Fact]
    public void DeepSeekTokenizer_NeedsItsOwnEndOfText()
    {
        var tokenizer = TestData.DeepSeekV3();
        Assert.Contains(
            "no special token '<|endoftext|>'",
            Assert.Throws<ArgumentException>(() => new PreparationOptions { Tokenizer = tokenizer }.Validated()).Message
        );
        var path = SampleText.WriteJsonLines(_folder.File("a.jsonl"), SampleText.Documents(40));
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(path),
            _folder.File("data"),
            new PreparationOptions { Tokenizer = tokenizer, EndOfText = "<｜end▁of▁sentence｜>" }
        );
        Assert.Equal(1, corpus.Summary.EndOfTextId);
        Assert.Equal(tokenizer.Fingerprint, corpus.Tokenizer.Fingerprint);
        AssertIdsAreTheText(corpus);
    }

    [Fact]
    public void DamagedFolder_IsOneClearError()
    {
        Prepare(SampleText.Documents(100), "data").Dispose();
        var summary = File.ReadAllText(_folder.File("data/data.json"));
        foreach (
            var (content, message) in ((string, string)[])
                [
                    (summary[..^10], "damaged"),
                    ("null", "damaged"),
                    ("[]", "damaged"),
                    (summary.Replace("\"version\": 2", "\"version\": 7"), "version 7"),
                    (summary.Replace("\"source\"", "\"sauce\""), "damaged"),
                    (summary.Replace("\"vocabularySize\": 300", "\"vocabularySize\": -1"), "impossible"),
                    (summary.Replace("train-0000.tok", "../train-0000.tok"), "impossible"),
                    (summary.Replace("\"documents\": 95", "\"documents\": 94"), "promises"),
                    (summary.Replace("train-0000.tok", "train-0001.tok"), "missing"),
                ]
        )
        {
            Assert.NotEqual(summary, content);
            File.WriteAllText(_folder.File("data/data.json"), content);
            var error = Assert.ThrowsAny<IOException>(() => AsIOException(() => PreparedCorpus.Open(_folder.File("data"))));
            Assert.Contains(message, error.Message);
            Assert.Contains(_folder.File("data"), error.Message);
        }
        Assert.Throws<FileNotFoundException>(() => PreparedCorpus.Open(_folder.File("absent")));

        // InvalidDataException is not an IOException; both are format errors here.
        static void AsIOException(Action action)
        {
            try
            {
                action();
            }
            catch (InvalidDataException error)
            {
                throw new IOException(error.Message, error);
            }
        }
    }

    [Theory]
    [InlineData(257, 0.05, "<|endoftext|>")]
    [InlineData(300, 0.0, "<|endoftext|>")]
    [InlineData(300, 1.0, "<|endoftext|>")]
    [InlineData(300, double.NaN, "<|endoftext|>")]
    [InlineData(300, 0.05, "")]
    public void Options_OutOfRange_AreErrors(int vocabulary, double fraction, string endOfText) =>
        Assert.ThrowsAny<ArgumentException>(() =>
            new PreparationOptions
            {
                VocabularySize = vocabulary,
                ValidationFraction = fraction,
                EndOfText = endOfText,
            }.Validated()
        );

    /// <summary>
    /// Every document decodes to as many bytes as its text has, and begins with the end-of-text token; no other id is special.
    /// </summary>
    private static void AssertIdsAreTheText(PreparedCorpus corpus)
    {
        foreach (
            var (stream, summary) in ((TokenStream, SplitSummary)[])
                [(corpus.Training, corpus.Summary.Training), (corpus.Validation, corpus.Summary.Validation)]
        )
        {
            var ids = new int[stream.Count];
            var starts = new bool[stream.Count];
            stream.CopyTo(0, ids);
            stream.CopyDocumentStartsTo(0, starts);
            for (var i = 0; i < ids.Length; i++)
                Assert.Equal(starts[i], ids[i] == corpus.Summary.EndOfTextId);
            Assert.Equal(summary.Documents, starts.Count(start => start));
            Assert.Equal(summary.Documents, ids.Count(corpus.Tokenizer.IsSpecial));
            Assert.Equal(summary.TextBytes, ids.Sum(id => (long)corpus.TokenBytes[id]));
            Assert.Equal(summary.Tokens, stream.Count);
        }
    }

    private static IEnumerable<string> Texts(TokenStream stream, PreparedCorpus corpus)
    {
        var ids = new int[stream.Count];
        var starts = new bool[stream.Count];
        stream.CopyTo(0, ids);
        stream.CopyDocumentStartsTo(0, starts);
        for (var start = 0; start < ids.Length; )
        {
            var end = Array.IndexOf(starts, true, start + 1) is var next and > 0 ? next : ids.Length;
            yield return corpus.Tokenizer.Decode(ids.AsSpan(start + 1, end - start - 1));
            start = end;
        }
    }

    private PreparedCorpus Prepare(Document[] documents, string name) =>
        DataPreparation.Prepare(
            CorpusSource.Open(SampleText.WriteJsonLines(_folder.File($"{name}.jsonl"), documents)),
            _folder.File(name),
            Small
        );

    private sealed class Stages : IProgress<PreparationProgress>
    {
        public List<PreparationStage> Seen { get; } = [];

        public Action<PreparationProgress> Reached { get; init; } = _ => { };

        public void Report(PreparationProgress value)
        {
            if (Seen.LastOrDefault((PreparationStage)(-1)) != value.Stage)
                Seen.Add(value.Stage);
            Reached(value);
        }
    }
}
