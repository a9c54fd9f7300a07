using Engram.Inference;

namespace Engram.Torch.Tests.Inference;

/// <summary>However a text is read, its logits have the bits of the whole text read at once.</summary>
public sealed class SequenceTests : IDisposable
{
    private readonly List<IDisposable> _opened = [];

    public static TheoryData<string> Names =>
        [
            "tiny-engram",
            "tiny-v41",
            "V4.1, dead positions",
            "dead positions, convolution",
            "fused with the mixture",
            "OverEncoding",
            "documents in attention",
            "memory across documents",
            "quickstart-moe",
            "unconstrained streams, learnt exit",
            "low-rank query, extended context",
        ];

    public void Dispose() => _opened.ForEach(model => model.Dispose());

    [Theory, MemberData(nameof(Names))]
    public void Pieces_give_the_bits_of_the_whole(string name)
    {
        var models = Open(name);
        var ids = models.Ids(100, seed: 1); // more than one pass holds
        var whole = models.Whole(ids);
        foreach (var piece in new[] { 1, 3, 7, 64, 65 })
        {
            var (sequence, logits) = (models.Managed.NewSequence(), new float[whole.Length]);
            for (var from = 0; from < ids.Length; from += piece)
            {
                var to = Math.Min(from + piece, ids.Length);
                models.Managed.Read(
                    sequence,
                    ids.AsSpan(from, to - from),
                    logits.AsSpan(from * models.Vocabulary, (to - from) * models.Vocabulary)
                );
            }

            Assert.Equal(whole, logits);
            Assert.Equal(ids, sequence.TokenIds);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Sequences_at_different_positions_share_a_call(string name)
    {
        var models = Open(name);
        var texts = Enumerable.Range(0, 5).Select(b => models.Ids(7 * b + 30, seed: b)).ToArray();
        var wholes = texts.Select(text => models.Whole(text)).ToArray();
        foreach (var count in new[] { 1, 2, 20 })
        {
            var sequences = texts.Select(_ => models.Managed.NewSequence()).ToArray();
            for (var b = 1; b < texts.Length; b++)
                models.Managed.Read(sequences[b], texts[b].AsSpan(0, 7 * b), []);
            int[] next = [.. texts.SelectMany((text, b) => text.AsSpan(7 * b, count).ToArray())];
            var every = new float[next.Length * models.Vocabulary];
            models.Managed.Read(sequences, next, every);
            for (var b = 0; b < texts.Length; b++)
                Assert.Equal(
                    wholes[b].AsSpan(7 * b * models.Vocabulary, count * models.Vocabulary),
                    every.AsSpan(b * count * models.Vocabulary, count * models.Vocabulary)
                );

            foreach (var (sequence, b) in sequences.Select((sequence, b) => (sequence, b)))
                sequence.Truncate(7 * b);
            var last = new float[texts.Length * models.Vocabulary];
            models.Managed.Read(sequences, next, last);
            for (var b = 0; b < texts.Length; b++)
                Assert.Equal(
                    every.AsSpan(((b + 1) * count - 1) * models.Vocabulary, models.Vocabulary),
                    last.AsSpan(b * models.Vocabulary, models.Vocabulary)
                );
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Truncated_and_forked_sequences_go_on_as_recomputed_ones(string name)
    {
        var models = Open(name);
        var (ids, other) = (models.Ids(40, seed: 3), models.Ids(40, seed: 4));
        var sequence = models.Managed.NewSequence();
        models.Managed.Read(sequence, ids, []);
        foreach (var cut in new[] { 33, 17, 8, 1, 0 })
        {
            var fork = sequence.Fork();
            fork.Truncate(cut);
            int[] text = [.. ids[..cut], .. other];
            var (expected, logits) = (models.Whole(text), new float[other.Length * models.Vocabulary]);
            models.Managed.Read(fork, other, logits);
            Assert.Equal(expected[(cut * models.Vocabulary)..], logits);
            Assert.Equal(40 + cut, fork.Length);
        }

        var (untouched, rest) = (models.Whole([.. ids, .. other]), new float[other.Length * models.Vocabulary]);
        models.Managed.Read(sequence, other, rest);
        Assert.Equal(untouched[(40 * models.Vocabulary)..], rest);
    }

    [Fact]
    public void Reading_a_token_allocates_nothing()
    {
        var models = Open("tiny-engram");
        var (sequence, ids, logits) = (models.Managed.NewSequence(), models.Ids(60, seed: 5), new float[models.Vocabulary]);
        // The longest text first, so that all room is there and all code compiled; then the same again.
        foreach (var id in ids)
            models.Managed.Read(sequence, [id], logits);
        sequence.Truncate(10);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var t = 10; t < ids.Length; t++)
            models.Managed.Read(sequence, ids.AsSpan(t, 1), logits);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_batch_with_forks_goes_on_without_allocation()
    {
        var models = Open("tiny-engram");
        var (model, random, context) = (models.Managed, new Random(6), models.Managed.Configuration.MaxPositionEmbeddings);
        var batch = Enumerable.Range(0, 4).Select(_ => model.NewSequence()).ToArray();
        foreach (var sequence in batch)
        {
            model.Read(sequence, models.Ids(context, seed: 1), []);
            sequence.Truncate(0);
        }

        var (logits, ids, allocated) = (new float[4 * models.Vocabulary], new int[4], 0L);
        for (var call = 0; call < 1200; call++)
        {
            foreach (var sequence in batch)
                if (sequence.Length == context)
                    sequence.Truncate(random.Next(context));
            if (call % 40 == 39)
                batch[random.Next(2)] = batch[2 + random.Next(2)].Fork();
            models.Ids(4, seed: call).CopyTo(ids, 0);
            var before = GC.GetAllocatedBytesForCurrentThread();
            model.Read(batch, ids, logits);
            allocated += call < 40 ? 0 : GC.GetAllocatedBytesForCurrentThread() - before; // the first calls make the pass's own room
        }

        Assert.Equal(0, allocated);
        foreach (var sequence in batch)
        {
            var expected = models.Whole(sequence.TokenIds.ToArray())[^models.Vocabulary..];
            var found = logits.AsSpan(Array.IndexOf(batch, sequence) * models.Vocabulary, models.Vocabulary);
            Assert.Equal(expected, found);
        }
    }

    [Fact]
    public void Threads_read_sequences_of_their_own()
    {
        var models = Open("tiny-engram");
        var texts = Enumerable.Range(0, 8).Select(b => models.Ids(30, seed: b)).ToArray();
        var expected = texts.Select(text => models.Whole(text)).ToArray();
        var found = new float[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, b => found[b] = models.Whole(texts[b]));
        Assert.Equal(expected, found);
    }

    [Fact]
    public void A_refused_or_cancelled_call_leaves_the_sequence()
    {
        var models = Open("tiny-engram");
        var (model, sequence, ids) = (models.Managed, models.Managed.NewSequence(), models.Ids(100, seed: 7));
        model.Read(sequence, ids.AsSpan(0, 10), []);
        var other = model.NewSequence(memory: null);
        foreach (
            var (act, message) in new (Action, string)[]
            {
                (() => model.Read(sequence, [models.Vocabulary], []), "has no text"),
                (() => model.Read(sequence, [-1], []), "has no text"),
                (() => model.Read(sequence, [], []), "do not make"),
                (() => model.Read(sequence, new int[247], []), "do not fit into the context of 256"),
                (() => model.Read(sequence, [1], new float[3]), "Room for 3 logits"),
                (() => model.Read([sequence, sequence], [1, 2], []), "given twice"),
                (() => model.Read([sequence, other], [1, 2], []), "different memories"),
            }
        )
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(act).Message);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => model.Read(sequence, ids, [], cancelled.Token));
        Assert.Equal(10, sequence.Length);
        var logits = new float[models.Vocabulary];
        model.Read(sequence, ids.AsSpan(10, 1), logits);
        Assert.Equal(models.Whole(ids[..11])[(10 * models.Vocabulary)..], logits);
    }

    /// <summary>A vocabulary may have room beyond the tokenizer's ids, as published ones have.</summary>
    [Theory]
    [InlineData("tiny-engram")]
    [InlineData("tiny-dense")]
    public void Ids_without_text_are_refused_with_and_without_memory(string name)
    {
        using var models = new InferenceModels(InferenceModels.Configurations[name] with { VocabularySize = 1024 });
        var (model, ids) = (models.Managed, models.Managed.Tokenizer.VocabularySize);
        Assert.True(ids < 1024);
        foreach (
            var act in (Action[])
                [() => model.Read(model.NewSequence(), [ids - 1, ids], []), () => model.Score([ids], [0]), () => model.Score([0], [ids])]
        )
            Assert.Contains($"Token id {ids}", Assert.Throws<ArgumentOutOfRangeException>(act).Message);
        model.Read(model.NewSequence(), [ids - 1], []);
    }

    [Theory]
    [InlineData("tiny-engram")]
    [InlineData("tiny-dense")]
    public async Task A_disposed_model_refuses_calls_and_waits_for_those_that_run(string name)
    {
        var models = Open(name);
        var (model, ids) = (Engram.Inference.EngramModel.Open(models.Folder, threads: 2), models.Ids(60, seed: 9));
        using var reading = new ManualResetEventSlim();
        var reads = Task.Run(() =>
        {
            var done = 0;
            try
            {
                for (; ; done++)
                {
                    model.Read(model.NewSequence(), ids, []);
                    reading.Set();
                }
            }
            catch (ObjectDisposedException)
            {
                return done;
            }
        });
        reading.Wait(TestContext.Current.CancellationToken);
        model.Dispose();
        Assert.True(await reads > 0);
        Assert.Throws<ObjectDisposedException>(() => model.Read(model.NewSequence(), ids, []));
        model.Dispose();
    }

    [Fact]
    public void Scores_are_sums_of_log_probabilities()
    {
        var models = Open("tiny-engram");
        var ids = models.Ids(12, seed: 8);
        var logits = models.Whole(ids);
        var expected = 0.0;
        for (var t = 5; t < ids.Length; t++)
        {
            var row = logits.AsSpan((t - 1) * models.Vocabulary, models.Vocabulary).ToArray();
            expected += row[ids[t]] - Math.Log(row.Sum(logit => Math.Exp(logit)));
        }

        Assert.Equal(expected, models.Managed.Score(ids.AsSpan(0, 5), ids.AsSpan(5)), 1e-5);
        Assert.Equal(0, models.Managed.Score(ids, []));
        Assert.Throws<ArgumentException>(() => models.Managed.Score([], ids));
    }

    private InferenceModels Open(string name)
    {
        var models = new InferenceModels(InferenceModels.Configurations[name]);
        _opened.Add(models);
        return models;
    }
}
