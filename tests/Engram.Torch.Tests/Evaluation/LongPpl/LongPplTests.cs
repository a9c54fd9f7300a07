using Engram.Evaluation.LongPpl;
using Engram.Evaluation.Losses;
using Engram.Tests.Tokenization;
using Engram.Tokenization;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Evaluation.LongPpl;

public sealed class LongPplTests
{
    private static readonly Tokenizer Bytes = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 256 }).Train(["a"]);

    private static readonly Tokenizer Words = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 400 }).Train([
        .. Enumerable.Repeat(" key token of a long text é€😀", 4),
    ]);

    [Theory]
    [InlineData(4096, new int[0])]
    [InlineData(4097, new[] { 0, 4096, 4097 })]
    [InlineData(5120, new[] { 0, 4096, 5120 })]
    [InlineData(5121, new[] { 0, 4096, 5120, 1024, 5120, 5121 })]
    [InlineData(
        10_000,
        new[] { 0, 4096, 5120, 1024, 5120, 6144, 2048, 6144, 7168, 3072, 7168, 8192, 4096, 8192, 9216, 5120, 9216, 10_000 }
    )]
    public void Blocks_JudgeEveryTokenBehindTheShortContextOnce(int tokens, int[] expected) =>
        Assert.Equal(
            expected,
            KeyTokens.Blocks(tokens, KeyWindow.Published).SelectMany(block => new[] { block.Start, block.Judged, block.End })
        );

    [Fact]
    public void KeyTokens_OfThePublishedRule()
    {
        double[] full = [1.0, 0.5, 3.0, 1.9, 0.1],
            limited = [3.5, 2.0, 9.0, 4.0, 2.1];
        int[] keys = [.. Enumerable.Range(0, 5).Where(i => KeyTokens.IsKey(full[i], limited[i]))];
        // The last differs by exactly 2, which is not more; the third is above 2 with the whole text.
        Assert.Equal([0, 3], keys);
        var mean = keys.Average(i => full[i]);
        Assert.Equal(1.45, mean, 1e-12);
        Assert.Equal(4.2631, LongPerplexity.OfKeys([new LongText("", 5, 0, 2, mean)])!.Value, 5e-5);
    }

    [Fact]
    public void KeyTokens_AreFoundWhereverTheyStand_StartTokenOrNot()
    {
        // Text position 4,100, 5,119, 5,120 and the last one are key; everything else is well known.
        var text = new string('x', 6000);
        var offsets = TokenOffsets.Of(Bytes, text);
        foreach (var before in new[] { 0, 1 })
        {
            int[] wanted = [.. new[] { 4100, 5119, 5120, 5999 }.Select(position => position + before)];
            var found = KeyTokens
                .Find(
                    6000 + before,
                    KeyWindow.Published,
                    new double[6000 + before],
                    block => [.. Enumerable.Range(block.Judged, block.End - block.Judged).Select(token => wanted.Contains(token) ? 3.0 : 0)]
                )
                .ToArray();
            Assert.Equal(wanted, found);
            Assert.Equal("[4100, 4101];[5119, 5121];[5999, 6000]", TextInterval.Format(LongPerplexity.Intervals(offsets, before, found)));
        }
    }

    [Fact]
    public void Offsets_AreCodePoints_ACharacterBelongsToAllItsTokens()
    {
        var text = "é€😀a";
        var offsets = TokenOffsets.Of(Bytes, text);
        Assert.Equal(
            ["[0, 1]", "[0, 1]", "[1, 2]", "[1, 2]", "[1, 2]", "[2, 3]", "[2, 3]", "[2, 3]", "[2, 3]", "[3, 4]"],
            offsets.Intervals.Select(interval => TextInterval.Format([interval]))
        );
        Assert.Equal([0, 1, 1, 1, 2, 2, 2, 2, 4, 5], offsets.Units);
        Assert.Equal("é€", LongPerplexity.Cut(Bytes, text, 8));
        Assert.Equal("é€😀", LongPerplexity.Cut(Bytes, text, 9));
        Assert.Equal(text, LongPerplexity.Cut(Bytes, text, 99));
        Assert.Equal("", LongPerplexity.Cut(Bytes, text, 0));
    }

    [Fact]
    public void Offsets_OfATokenizerThatChangesTheText_AreRefused()
    {
        var folder = Directory.CreateTempSubdirectory("engram-");
        try
        {
            var path = Path.Combine(folder.FullName, "tokenizer.json");
            Bytes.Save(path);
            File.WriteAllText(
                path,
                File.ReadAllText(path)
                    .Replace("\"normalizer\": null", "\"normalizer\": { \"type\": \"Lowercase\" }", StringComparison.Ordinal)
            );
            Assert.Contains(
                "changes the text",
                Assert.Throws<InvalidDataException>(() => TokenOffsets.Of(Tokenizer.Load(path), "Abc")).Message,
                StringComparison.Ordinal
            );
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Tokens_CountIfTheyLieWithinAnInterval_TheFirstNever_SpaceInFrontAside()
    {
        var text = " key token of a long text";
        var offsets = TokenOffsets.Of(Words, text);
        Assert.Equal([" key", " token", " of", " a", " long", " text"], offsets.Intervals.Select(part => text[part.Start..part.End]));
        double[] losses = [1, 2, 3, 4, 5];
        // "key" is first; "token" lies within without its space; "of" half; "long text" whole.
        var keys = TextInterval.Parse("[0, 4];[5, 10];[11, 12];[15, 25]", "keys");
        var measured = LongPerplexity.Summarise("t", offsets, text, losses, keys);
        Assert.Equal((5, 3.0, 3, (1 + 4 + 5) / 3.0), (measured.Tokens, measured.Nats, measured.KeyTokens, measured.KeyNats!.Value));
        Assert.Null(LongPerplexity.Summarise("t", offsets, text, losses, []).KeyNats);

        // Another tokenizer of the same text counts its own tokens within the same characters.
        var bytes = TokenOffsets.Of(Bytes, text);
        Assert.Equal(4 - 1 + 5 + 1 + 10, LongPerplexity.Summarise("t", bytes, text, new double[text.Length - 1], keys).KeyTokens);
    }

    [Fact]
    public void Perplexities_WeighTextsByTheirTokens()
    {
        LongText[] texts = [new("a", 10, 1, 3, 0.5), new("b", 30, 2, 1, 1.5), new("c", 10, 3, 0, null)];
        // PKU-ML/LongPPL: perplexities of texts weighted by their tokens, not the perplexity of the mean loss.
        Assert.Equal((10 * Math.E + 30 * Math.Exp(2) + 10 * Math.Exp(3)) / 50, LongPerplexity.OfAll(texts), 1e-12);
        Assert.Equal((3 * Math.Exp(0.5) + Math.Exp(1.5)) / 4, LongPerplexity.OfKeys(texts)!.Value, 1e-12);
        Assert.Equal(Math.Exp(3.0 / 4), LongPerplexity.OfPooledKeys(texts)!.Value, 1e-12);
        Assert.Null(LongPerplexity.OfKeys([texts[2]]));
    }

    [Fact]
    public void Intervals_AreMergedWhereTheyTouch()
    {
        TextInterval[] parts = [new(0, 3), new(3, 5), new(4, 6), new(8, 9), new(10, 12)];
        Assert.Equal("[0, 6];[8, 9];[10, 12]", TextInterval.Format(TextInterval.Merge(parts)));
    }

    [Theory]
    [InlineData("[1, 2]")]
    [InlineData("[1, 2];[2, 30]")]
    [InlineData("")]
    public void Intervals_AreReadAsTheyAreWritten(string line) => Assert.Equal(line, TextInterval.Format(TextInterval.Parse(line, "keys")));

    [Theory]
    [InlineData("[1, 2];")]
    [InlineData("[2, 2]")]
    [InlineData("[5, 9];[8, 10]")]
    [InlineData("[1, 99999999999]")]
    [InlineData("__import__('os')")]
    [InlineData("[-1, 3]")]
    public void Intervals_OfAnotherForm_AreRefused(string line) =>
        Assert.StartsWith(
            "keys: ",
            Assert.Throws<InvalidDataException>(() => TextInterval.Parse(line, "keys")).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("Meta-Llama-3.1-8B", 2965, 21_575)]
    [InlineData("Mistral-Large-Instruct-2407", 2411, 14_874)]
    [InlineData("Qwen2-72B-Instruct", 2705, 19_511)]
    public void PublishedIntervals_AreRead(string evaluator, int intervals, int characters)
    {
        if (TestData.Find($"benchmarks/longppl/key_text/{evaluator}") is not { } folder)
        {
            Assert.Skip("benchmarks/longppl is absent: set ENGRAM_TEST_DATA to the folder that holds it.");
            return;
        }

        var files = Enumerable
            .Range(0, 50)
            .Select(i => Path.Combine(folder, $"slice_{i}.txt"))
            .Select(path => (Text: File.ReadAllText(path), Keys: TextInterval.Parse(File.ReadAllText(path), path)))
            .ToArray();
        Assert.Equal(
            (intervals, characters),
            (files.Sum(file => file.Keys.Count), files.Sum(file => file.Keys.Sum(key => key.End - key.Start)))
        );
        Assert.All(files, file => Assert.Equal(file.Text, TextInterval.Format(file.Keys)));
    }

    [Fact]
    public void Losses_ReadInPieces_AreThoseOfTheWholeText()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 2048 });
        var random = new Random(3);
        // No start token among them, which would begin another document.
        int[] ids = [.. Enumerable.Range(0, 1300).Select(_ => random.Next(2, model.Tokenizer.VocabularySize))];
        var losses = TokenLosses.Of(model, ids, 1, model.Memory, CancellationToken.None);
        using (var inference = inference_mode())
        using (var scope = NewDisposeScope())
        {
            using var gathered = model.GatherMemory(ids[..^1], [], 1);
            var (hidden, _) = model.Transformer.Forward(ids[..^1], [], 1, gathered);
            Assert.Equal(model.Transformer.Loss(hidden, ids[1..]).item<float>(), losses.Average(), 1e-4);
        }
        Assert.Equal(losses[699..], TokenLosses.Of(model, ids, 700, model.Memory, CancellationToken.None));
        Assert.NotEqual(losses, TokenLosses.Of(model, ids, 1, null, CancellationToken.None));
    }

    [Fact]
    public void Model_AsItsOwnEvaluator_OverALongText()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 5000 });
        var random = new Random(5);
        var text = LongPerplexity.Cut(
            model.Tokenizer,
            string.Concat(Enumerable.Range(0, 5000).Select(_ => (char)random.Next('a', 'z'))),
            4200
        );
        var keys = LongPerplexity.KeyIntervals(model, text, model.Memory);
        // Starting values know nothing, with whatever context.
        Assert.Empty(keys);
        var measured = LongPerplexity.Measure(model, "t", text, [new TextInterval(0, text.Length)], model.Memory);
        Assert.Equal((measured.Tokens, measured.Nats), (measured.KeyTokens, measured.KeyNats!.Value));
        Assert.Equal(Math.Log(model.Configuration.VocabularySize), measured.Nats, 1.0);
    }

    [Fact]
    public void Places_OfIntervals_InTheTextBehindTheCutAndOutside()
    {
        // In code points: the text has 6, its beginning 4.
        IReadOnlyList<TextInterval> keys = [new(0, 2), new(2, 4), new(3, 5), new(4, 6), new(5, 7), new(9, 12)];
        var places = IntervalPlaces.Of(keys, "ab😀cde", "ab😀c");
        Assert.Equal((6, 2, 2, 2), (places.Intervals, places.BehindCut, places.OutsideText, places.Inside));
    }

    /// <summary>
    /// Keys that an evaluator has written give the numbers of those that it has just found, in a text that is longer than it reads.
    /// </summary>
    [Fact]
    public void WrittenKeys_GiveTheSameNumbers()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 600 });
        // Sharp predictions: a few tokens are foreseen well with the whole text, and badly with a part of it.
        using (no_grad())
            model.Transformer.Parameters.All.Single(parameter => parameter.Name == "lm_head.weight").Tensor.mul_(40);
        var random = new Random(5);
        var text = string.Concat(Enumerable.Range(0, 2000).Select(_ => (char)random.Next('a', 'z')));
        var read = LongPerplexity.Cut(model.Tokenizer, text, 600);
        Assert.True(read.Length < text.Length);
        var found = LongPerplexity.KeyIntervals(model, read, model.Memory, new KeyWindow(8, 4));
        Assert.NotEmpty(found);

        var folder = Directory.CreateTempSubdirectory("engram-");
        try
        {
            var files = new KeyFiles(folder.FullName);
            files.Write(0, found);
            var measured = LongPerplexity.Measure(model, "t", read, found, model.Memory);
            Assert.InRange(measured.KeyTokens, 1, measured.Tokens / 2);
            Assert.Equal(measured, LongPerplexity.Measure(model, "t", read, files.Read(0), model.Memory));
            Assert.Equal(new IntervalPlaces(found.Count, 0, 0), IntervalPlaces.Of(files.Read(0), text, read));
            // Plain perplexity depends on no keys.
            var without = LongPerplexity.Measure(model, "t", read, [], model.Memory);
            Assert.Equal((measured.Tokens, measured.Nats), (without.Tokens, without.Nats));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>An evaluator reads what its own context has room for, its start token included.</summary>
    [Fact]
    public void KeyIntervals_OfATextThatIsTooLong_AreThoseOfItsBeginning()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 40 });
        var text = new string('a', 200);
        // Every token has a start and a short context of which nothing follows.
        Assert.Empty(LongPerplexity.KeyIntervals(model, text, model.Memory, new KeyWindow(8, 4)));
        Assert.Equal(39, TokenOffsets.Of(model.Tokenizer, LongPerplexity.Cut(model.Tokenizer, text, 39)).Ids.Length);
    }
}
