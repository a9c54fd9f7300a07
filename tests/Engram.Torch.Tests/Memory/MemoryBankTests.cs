using Engram.Addressing;
using Engram.Models.Memory;
using Engram.Models.Sequences;
using Engram.Torch.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Memory;

public sealed class MemoryBankTests
{
    private const int Sequences = 3;
    private const int Length = 12;

    private static readonly int[] Ids = [.. Enumerable.Range(0, Sequences * Length).Select(i => i * 53 % 300)];
    private static readonly bool[] Starts = [.. Enumerable.Range(0, Sequences * Length).Select(i => i % Length is 0 or 5 or 6)];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rows_are_those_of_each_sequence_alone(bool reset)
    {
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { ResetAtDocuments = reset }));
        var (bank, rows) = (model.Memory!, new MemoryRows());
        bank.Address(Ids, Starts, Sequences, rows);
        Assert.Equal((Ids.Length, 4), (rows.Tokens, rows.Columns));
        Assert.Equal(Ids.Select(id => bank.Map[id]), rows.CanonicalIds.ToArray());
        for (var position = 0; position < 2; position++)
        for (var b = 0; b < Sequences; b++)
        {
            var expected = new long[Length * bank.Columns];
            bank.Addresser.Address(
                rows.CanonicalIds.Slice(b * Length, Length),
                reset ? Starts.AsSpan(b * Length, Length) : [],
                position,
                expected
            );
            Assert.Equal(expected, rows.Layer(position).Slice(b * expected.Length, expected.Length).ToArray());
        }
    }

    [Fact]
    public void Without_compression_every_token_keeps_its_own_id()
    {
        using var merged = RandomModel.Create(TinyRun.Configuration);
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { CompressVocabulary = false }));
        var (bank, rows, vocabulary) = (model.Memory!, new MemoryRows(), TinyCorpus.Shared.Tokenizer.VocabularySize);
        Assert.True(merged.Memory!.Map.CanonicalVocabularySize < vocabulary);
        Assert.Equal((vocabulary, vocabulary), (bank.Map.CanonicalVocabularySize, model.Configuration.Engram!.CompressedVocabularySize));
        bank.Address(Ids, Starts, Sequences, rows);
        Assert.Equal(Ids, rows.CanonicalIds.ToArray());
        var spec = bank.Addresser.Constants.Spec;
        Assert.Equal((vocabulary, model.Configuration.Engram.PadTokenId), (spec.CompressedVocabularySize, spec.PadId));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(5, true)]
    [InlineData(Length, true)]
    [InlineData(1, false)]
    public void Histories_that_grow_read_the_rows_of_the_whole(int chunk, bool reset)
    {
        using var model = RandomModel.Create(
            TinyRun.WithMemory(memory => memory with { ResetAtDocuments = reset, DeadTokenIds = [Ids[3], Ids[20]] })
        );
        var (bank, whole, part) = (model.Memory!, new MemoryRows(), new MemoryRows());
        int[] ids = [.. Ids.Select((id, i) => Starts[i] ? model.Configuration.StartTokenId!.Value : Math.Max(id, 1))];
        bank.Address(ids, Starts, Sequences, whole);
        var histories = Enumerable.Range(0, Sequences).Select(_ => new TokenHistory(model.Transformer.Documents)).ToArray();
        for (var begin = 0; begin < Length; begin += chunk)
        {
            var taken = Math.Min(chunk, Length - begin);
            int[] next = [.. Enumerable.Range(0, Sequences).SelectMany(b => ids.Skip(b * Length + begin).Take(taken))];
            bank.AddressNext(histories, next, part);
            for (var b = 0; b < Sequences; b++)
            {
                histories[b].Append(next.AsSpan(b * taken, taken));
                for (var position = 0; position < 2; position++)
                    Assert.Equal(
                        whole.Layer(position).Slice((b * Length + begin) * bank.Columns, taken * bank.Columns).ToArray(),
                        part.Layer(position).Slice(b * taken * bank.Columns, taken * bank.Columns).ToArray()
                    );
            }
        }

        Assert.Throws<ArgumentException>(() => bank.AddressNext(histories, ids.AsSpan(0, Sequences + 1), part));
    }

    [Fact]
    public void One_row_reads_the_row_of_its_column()
    {
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { OneRow = true }));
        var (bank, rows, grown) = (model.Memory!, new MemoryRows(), new MemoryRows());
        bank.Address(Ids, Starts, Sequences, rows);
        bank.AddressNext([.. Enumerable.Range(0, Sequences).Select(_ => new TokenHistory(model.Transformer.Documents))], Ids, grown);
        for (var position = 0; position < 2; position++)
        {
            Assert.Equal(bank.Columns, bank.Tables.Table(position).Rows);
            Assert.Equal(
                Enumerable.Range(0, Ids.Length * bank.Columns).Select(i => (long)(i % bank.Columns)),
                rows.Layer(position).ToArray()
            );
            Assert.Equal(rows.Layer(position).ToArray(), grown.Layer(position).ToArray());
        }
    }

    [Fact]
    public void Gathered_memory_is_the_rows_side_by_side()
    {
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(TinyRun.Configuration);
        var (bank, rows) = (model.Memory!, new MemoryRows());
        bank.Address(Ids, Starts, Sequences, rows);
        using var memory = bank.Gather(rows, first: 1, sequences: 2, Length, CPU, requiresGradient: true);
        Assert.Null(memory.Layer(0));
        for (var position = 0; position < 2; position++)
        {
            var gathered = memory.Layer(bank.LayerIds[position])!;
            Assert.Equal([2, Length, bank.Columns * bank.Tables.Table(position).Width], gathered.shape);
            Assert.True(gathered.requires_grad && gathered.is_leaf);
            var expected = new List<float>();
            foreach (var row in rows.Layer(position)[(Length * bank.Columns)..])
                expected.AddRange(bank.Tables.Table(position).Row(row));
            Assert.Equal(expected, gathered.detach().data<float>().ToArray());
        }

        using var inference = bank.Gather(rows, 0, 1, Length, CPU, requiresGradient: false);
        Assert.False(inference.Layer(1)!.requires_grad);
    }

    /// <summary>Rows of more values than a span can count are copied piece by piece.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(int.MaxValue)]
    public unsafe void Gathered_in_pieces_the_rows_are_the_same(int longestSpan)
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var (bank, rows) = (model.Memory!, new MemoryRows());
        bank.Address(Ids, Starts, Sequences, rows);
        var (whole, pieces) = (
            new float[rows.Layer(0).Length * bank.Tables.Store(0).Width],
            new float[rows.Layer(0).Length * bank.Tables.Store(0).Width]
        );
        bank.Tables.Store(0).Gather(rows.Layer(0), whole);
        fixed (float* destination = pieces)
            MemoryGathering.Gather(bank.Tables.Store(0), rows.Layer(0), destination, longestSpan);
        Assert.Contains(whole, value => value != 0);
        Assert.Equal(whole, pieces);
    }

    [Fact]
    public void More_rows_than_an_array_holds_are_refused_before_anything_is_allocated()
    {
        var error = Assert.Throws<ArgumentException>(() => new MemoryRows().Resize(1 << 26, 16, 2));
        Assert.StartsWith("67108864 positions read 2147483648 rows in 2 memory layers", error.Message);
    }

    [Fact]
    public void Rows_buffer_serves_batches_of_any_size()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var (bank, reused) = (model.Memory!, new MemoryRows());
        foreach (var tokens in new[] { 24, 3, 36, 1 })
        {
            var fresh = new MemoryRows();
            bank.Address(Ids.AsSpan(0, tokens), [], 1, reused);
            bank.Address(Ids.AsSpan(0, tokens), [], 1, fresh);
            Assert.Equal(tokens, reused.Tokens);
            for (var position = 0; position < 2; position++)
                Assert.Equal(fresh.Layer(position).ToArray(), reused.Layer(position).ToArray());
        }
    }

    [Fact]
    public void Same_seed_gives_the_same_tables_and_every_layer_its_own()
    {
        using var first = LanguageModel.Create(TinyRun.Configuration, TinyCorpus.Shared.Tokenizer, seed: 4);
        using var again = LanguageModel.Create(TinyRun.Configuration, TinyCorpus.Shared.Tokenizer, seed: 4);
        using var other = LanguageModel.Create(TinyRun.Configuration, TinyCorpus.Shared.Tokenizer, seed: 5);
        for (var position = 0; position < 2; position++)
        {
            var row = first.Memory!.Tables.Table(position).Row(17).ToArray();
            Assert.Equal(row, again.Memory!.Tables.Table(position).Row(17).ToArray());
            Assert.NotEqual(row, other.Memory!.Tables.Table(position).Row(17).ToArray());
            Assert.NotEqual(row, first.Memory.Tables.Table(1 - position).Row(17).ToArray());
        }
    }

    [Fact]
    public void Token_without_canonical_id_is_refused()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        Assert.Contains(
            "300",
            Assert.Throws<ArgumentOutOfRangeException>(() => model.Memory!.Address([5, 300], [], 1, new MemoryRows())).Message
        );
        Assert.NotEqual(NgramAddresser.NoRow, Rows(model, 299));

        static long Rows(LanguageModel model, int id)
        {
            var rows = new MemoryRows();
            model.Memory!.Address([id], [], 1, rows);
            return rows.Layer(0)[0];
        }
    }
}
