using System.Diagnostics;
using System.Text;
using CsCheck;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

public sealed class RoundTripTests
{
    private static readonly Tokenizer Small = new BpeTrainer(
        new BpeTrainerOptions { VocabularySize = 700, SpecialTokens = ["<|endoftext|>", "<|pad|>"] }
    ).Train(Enumerable.Repeat("The cat's 1234 hats — naïve café, 価格は１２３円です。 😀😀 don't\r\n\r\n  stop!!! \t end", 3));

    private static string Repaired(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    [Fact]
    public void Decode_OfEncode_IsTheText() =>
        TextGen.Any.Sample(text => Assert.Equal(Repaired(text), Small.Decode(Small.Encode(text))), iter: 20_000);

    [Fact]
    public void DeepSeek_DecodeOfEncode_IsTheText()
    {
        var tokenizer = TestData.DeepSeekV3();
        TextGen.Any.Sample(text => Assert.Equal(Repaired(text), tokenizer.Decode(tokenizer.Encode(text))), iter: 20_000);
    }

    [Fact]
    public void Pieces_HoldTheTextAndItsIds() =>
        TextGen.Any.Sample(
            text =>
            {
                var pieces = Small.Pieces(text);
                Assert.Equal(Repaired(text), string.Concat(pieces.Select(piece => piece.Text)));
                Assert.Equal(Small.Encode(text), pieces.SelectMany(piece => piece.Ids));
            },
            iter: 5_000
        );

    public static TheoryData<string> LongTexts =>
        new(
            new string('a', 1_000_000),
            new string(' ', 1_000_000),
            new string('\n', 1_000_000),
            new string('!', 1_000_000),
            new string('7', 1_000_000),
            new string('\u0001', 1_000_000),
            new string('漢', 400_000),
            new string('\uD800', 300_000),
            new string('<', 1_000_000),
            string.Concat(Enumerable.Repeat("😀漢", 200_000)),
            string.Concat(Enumerable.Repeat(" \t\r\n", 250_000)),
            string.Concat(Enumerable.Repeat("<|endoftext|", 80_000)),
            ""
        );

    [Theory]
    [MemberData(nameof(LongTexts), DisableDiscoveryEnumeration = true)]
    public void LongText_OfOneKind_ComesBack(string text) => Assert.True(Repaired(text) == Small.Decode(Small.Encode(text)));

    [Fact]
    public void Cache_DoesNotChangeResults()
    {
        var definition = TokenizerJsonReader.Read(Small.ToJson(), "small");
        var uncached = new Tokenizer(definition, useCache: false);
        TextGen.Any.Sample(text => Assert.Equal(uncached.Encode(text), Small.Encode(text)), iter: 20_000);
    }

    [Fact]
    public void Threads_ShareATokenizer()
    {
        var tokenizer = Tokenizer.Parse(Small.ToJson(), "small");
        var random = new Random(7);
        var texts = Enumerable
            .Range(0, 2_000)
            .Select(_ => string.Concat(Enumerable.Range(0, 40).Select(_ => (char)random.Next(' ', 0x250))))
            .ToArray();
        var expected = texts.Select(text => Small.Encode(text)).ToArray();
        Parallel.For(
            0,
            texts.Length * 4,
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            i => Assert.Equal(expected[i % texts.Length], tokenizer.Encode(texts[i % texts.Length]))
        );
    }

    /// <summary>The path training data takes: ids appended to one list, all pieces known.</summary>
    [Fact]
    public void Encode_IntoAList_AllocatesNothingForKnownPieces()
    {
        const string text = "The cat's 1234 hats, naïve café";
        // A tokenizer of its own: tests that run beside this one push pieces out of a shared cache.
        var tokenizer = Tokenizer.Parse(Small.ToJson(), "small");
        var ids = new List<int>(1000);
        // Code that is not yet optimised boxes what optimised code does not, so the steady state is what counts. Beside other tests the
        // compiler takes seconds to get there.
        var waited = Stopwatch.StartNew();
        while (Allocated() > 0 && waited.Elapsed < TimeSpan.FromMinutes(5))
            Thread.Sleep(20);
        for (var round = 0; round < 5; round++)
            Assert.Equal(0, Allocated());

        long Allocated()
        {
            ids.Clear();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 10; i++)
                tokenizer.Encode(text, ids);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }
}
