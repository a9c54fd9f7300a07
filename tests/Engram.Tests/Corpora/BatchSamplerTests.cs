using CsCheck;
using Engram.Corpora;
using Engram.Tests.Storage;

namespace Engram.Tests.Corpora;

public sealed class BatchSamplerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PreparedCorpus _corpus;

    public BatchSamplerTests()
    {
        var path = SampleText.WriteJsonLines(_folder.File("a.jsonl"), SampleText.Documents(200));
        _corpus = DataPreparation.Prepare(
            CorpusSource.Open(path),
            _folder.File("data"),
            new PreparationOptions { VocabularySize = 300, ValidationFraction = 0.2 }
        );
    }

    public void Dispose()
    {
        _corpus.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Permutation_VisitsEveryBlockOnce()
    {
        Gen.Select(Gen.Long[1, 3000], Gen.ULong, Gen.Long[0, 100])
            .Sample(
                (count, seed, epoch) =>
                {
                    var order = new BlockPermutation(count, seed, epoch);
                    var seen = new bool[count];
                    for (var i = 0L; i < count; i++)
                    {
                        Assert.False(seen[order[i]]);
                        seen[order[i]] = true;
                    }
                },
                iter: 200
            );
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlockPermutation(5, 1, 0)[5]);
        var large = new BlockPermutation(long.MaxValue, 1, 0);
        Assert.InRange(large[long.MaxValue - 1], 0, long.MaxValue - 1);
    }

    // From an independent implementation of the same definition.
    [Theory]
    [InlineData(10, 1, 0, new long[] { 6, 3, 7, 5, 2, 0, 9, 1, 8, 4 })]
    [InlineData(10, 1, 1, new long[] { 1, 4, 3, 5, 0, 2, 8, 6, 7, 9 })]
    [InlineData(5, 42, 7, new long[] { 2, 1, 0, 3, 4 })]
    public void Permutation_MatchesGoldenValues(long count, ulong seed, long epoch, long[] expected)
    {
        var order = new BlockPermutation(count, seed, epoch);
        Assert.Equal(expected, Enumerable.Range(0, (int)count).Select(i => order[i]));
    }

    // 40,000 draws of where block 0 of 20 lands, over seeds and over epochs: chi-squared with 19 degrees of freedom stays below 50 but for
    // one case in 10,000.
    [Fact]
    public void Permutation_PutsABlockAnywhere()
    {
        foreach (var overSeeds in (bool[])[true, false])
        {
            var counts = new int[20];
            for (var i = 0; i < 40_000; i++)
                counts[overSeeds ? new BlockPermutation(20, (ulong)i, 0)[0] : new BlockPermutation(20, 1, i)[0]]++;
            Assert.InRange(counts.Sum(count => (count - 2000.0) * (count - 2000.0) / 2000), 0, 50);
        }
    }

    [Fact]
    public void Epoch_LosesNothingButTheTail()
    {
        const int length = 7;
        var stream = Ids(_corpus.Training);
        var starts = new bool[stream.Length];
        _corpus.Training.CopyDocumentStartsTo(0, starts);
        var sampler = new BatchSampler(_corpus, length, seed: 3);
        Assert.Equal((stream.Length - 1) / length, sampler.BlocksPerEpoch);
        var batch = new TokenBatch(1, length);
        var blocks = new Dictionary<string, int>();
        for (var i = 0; i < sampler.BlocksPerEpoch; i++)
        {
            sampler.Next(batch);
            var key = Key(batch);
            blocks[key] = blocks.GetValueOrDefault(key) + 1;
        }
        Assert.Equal(sampler.BlocksPerEpoch, sampler.Position);
        for (var block = 0; block < sampler.BlocksPerEpoch; block++)
        {
            var at = block * length;
            bool[] expectedStarts = [true, .. starts[(at + 1)..(at + length)]];
            var key =
                $"{string.Join(',', stream[at..(at + length)])}|{string.Join(',', stream[(at + 1)..(at + length + 1)])}|{string.Join(',', expectedStarts)}";
            Assert.True(blocks.TryGetValue(key, out var count) && count > 0, key);
            blocks[key]--;
        }
        Assert.All(blocks.Values, count => Assert.Equal(0, count));
    }

    [Fact]
    public void DocumentStarts_AreTheEndOfTextTokens()
    {
        var sampler = new BatchSampler(_corpus, 32, seed: 1);
        var batch = new TokenBatch(4, 32);
        sampler.Next(batch);
        for (var i = 0; i < batch.Inputs.Length; i++)
            Assert.Equal(i % 32 == 0 || batch.Inputs[i] == _corpus.Summary.EndOfTextId, batch.DocumentStarts[i]);
    }

    [Fact]
    public void Resuming_EqualsNeverHavingStopped_WhateverTheBatchSizes()
    {
        const int length = 16;
        var uninterrupted = Draw(new BatchSampler(_corpus, length, seed: 9), Enumerable.Repeat(5, 200));
        Gen.Select(Gen.Int[0, 900], Gen.Int[1, 9].Array[1, 20])
            .Sample(
                (position, sizes) =>
                {
                    var resumed = Draw(new BatchSampler(_corpus, length, seed: 9) { Position = position }, sizes);
                    var rows = Math.Min(sizes.Sum(), 1000 - position);
                    return resumed.Take(rows).SequenceEqual(uninterrupted.Skip(position).Take(rows));
                },
                iter: 30
            );
        // More than one epoch was compared.
        Assert.True(new BatchSampler(_corpus, length, seed: 9).BlocksPerEpoch < 900);
    }

    [Fact]
    public void Order_DependsOnSeedAndEpoch()
    {
        var blocks = (int)new BatchSampler(_corpus, 16, seed: 1).BlocksPerEpoch;
        var two = Draw(new BatchSampler(_corpus, 16, seed: 1), [2 * blocks]);
        Assert.NotEqual(two[..blocks], two[blocks..]);
        Assert.Equal(two[..blocks].Order(), two[blocks..].Order());
        Assert.NotEqual(two[..blocks], Draw(new BatchSampler(_corpus, 16, seed: 2), [blocks]));
    }

    [Fact]
    public void Next_AllocatesNothing()
    {
        var sampler = new BatchSampler(_corpus, 16, seed: 1);
        var batch = new TokenBatch(8, 16);
        sampler.Next(batch);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 500; i++)
            sampler.Next(batch);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.True(sampler.Position > sampler.BlocksPerEpoch);
    }

    [Fact]
    public void Validation_AllBlocks_CountEveryByte()
    {
        const int length = 10;
        var all = new ValidationBatches(_corpus, int.MaxValue, batchSequences: 6, length);
        var ids = Ids(_corpus.Validation);
        Assert.Equal((ids.Length - 1) / length, all.Sequences);
        var (position, bytes) = (0, 0L);
        foreach (var batch in all)
        {
            Assert.Equal(ids[position..(position + batch.Inputs.Length)], batch.Inputs);
            Assert.Equal(ids[(position + 1)..(position + batch.Inputs.Length + 1)], batch.Targets);
            position += batch.Inputs.Length;
            bytes += batch.TargetBytes;
        }
        Assert.Equal(all.Tokens, position);
        // The first id is an end-of-text token and the ids after the last block are no targets: the rest is the text itself.
        var tail = ids[(position + 1)..].Sum(id => _corpus.TokenBytes[id]);
        Assert.Equal(_corpus.Summary.Validation.TextBytes, bytes + tail);
    }

    [Fact]
    public void Validation_Sample_IsEvenlySpaced_AndTheSameAgain()
    {
        const int length = 10;
        var sample = new ValidationBatches(_corpus, 7, batchSequences: 3, length);
        var rows = sample.SelectMany(batch => batch.Inputs.Chunk(length)).ToList();
        Assert.Equal([3, 3, 1], sample.Select(batch => batch.Sequences));
        Assert.Equal(7, rows.Count);
        Assert.Equal(rows, sample.SelectMany(batch => batch.Inputs.Chunk(length)));
        var ids = Ids(_corpus.Validation);
        var blocks = (ids.Length - 1) / length;
        for (var i = 0; i < 7; i++)
            Assert.Equal(ids[(i * blocks / 7 * length)..][..length], rows[i]);
    }

    [Fact]
    public void TooLongSequences_NameTheShortPart()
    {
        var error = Assert.Throws<InvalidDataException>(() => new BatchSampler(_corpus, 1_000_000, seed: 1));
        Assert.Contains(
            $"the training part holds {_corpus.Training.Count} tokens, but one sequence of length 1000000 needs 1000001",
            error.Message
        );
        Assert.Contains(
            "the validation part",
            Assert.Throws<InvalidDataException>(() => new ValidationBatches(_corpus, 1, 1, 1_000_000)).Message
        );
    }

    [Fact]
    public void WrongArguments_AreErrors()
    {
        var sampler = new BatchSampler(_corpus, 16, seed: 1);
        Assert.Throws<ArgumentException>(() => sampler.Next(new TokenBatch(1, 8)));
        Assert.Throws<ArgumentOutOfRangeException>(() => sampler.Position = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchSampler(_corpus, 0, seed: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenBatch(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenBatch(1 << 16, 1 << 16));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ValidationBatches(_corpus, 0, 1, 1));
    }

    private static int[] Ids(TokenStream stream)
    {
        var ids = new int[stream.Count];
        stream.CopyTo(0, ids);
        return ids;
    }

    private static List<string> Draw(BatchSampler sampler, IEnumerable<int> batchSizes)
    {
        var rows = new List<string>();
        foreach (var size in batchSizes)
        {
            var batch = new TokenBatch(size, sampler.Length);
            sampler.Next(batch);
            for (var row = 0; row < size; row++)
                rows.Add(string.Join(',', batch.Inputs[(row * sampler.Length)..((row + 1) * sampler.Length)]));
        }
        return rows;
    }

    private static string Key(TokenBatch batch) =>
        $"{string.Join(',', batch.Inputs)}|{string.Join(',', batch.Targets)}|{string.Join(',', batch.DocumentStarts)}";
}
