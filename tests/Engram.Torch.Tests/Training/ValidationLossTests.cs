using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Models.Memory;
using Engram.Torch.Memory;
using Engram.Torch.Tests.Memory;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Training;

public sealed class ValidationLossTests
{
    private const int Length = 16;
    private const int Sequences = 11; // a whole batch of 8 and a smaller one

    [Fact]
    public void Loss_is_the_mean_over_all_targets_and_bits_count_text_bytes()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var measured = ValidationLoss.Measure(model, TinyCorpus.Shared, Length, Sequences, model.Memory);
        var (nats, bytes) = OneByOne(model, model.GatherMemory);
        Assert.Equal(Sequences * Length, measured.Tokens);
        Assert.Equal(nats.Average(), measured.Nats, 1e-5);
        Assert.Equal(nats.Average() * measured.Tokens / Math.Log(2) / bytes, measured.BitsPerByte, 1e-5);
    }

    [Fact]
    public void Memory_off_adds_nothing()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var (nats, _) = OneByOne(model, (_, _, _, _) => null);
        Assert.Equal(nats.Average(), Measure(model, MemoryUse.Off), 1e-5);
        for (var position = 0; position < 2; position++)
            model.Memory!.Tables.Table(position).FillZero();
        // Rows of zeros make values of zero, and the convolution of zeros is zero: the same bits, but for kernels of other shapes.
        Assert.Equal(Measure(model, MemoryUse.Off), Measure(model, MemoryUse.On), 1e-5);
    }

    [Fact]
    public void Shuffled_rows_are_those_of_permuted_tables_and_leave_the_model_alone()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var on = Measure(model, MemoryUse.On);
        var shuffled = Measure(model, MemoryUse.ShuffledRows);
        Assert.True(Math.Abs(on - shuffled) > 1e-3, $"{on} and {shuffled}");
        Assert.Equal(shuffled, Measure(model, MemoryUse.ShuffledRows));
        Assert.Equal(on, Measure(model, MemoryUse.On));
    }

    [Fact]
    public void Shuffling_permutes_the_rows_of_every_head_among_themselves()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var shuffled = model.Memory!.Shuffled(5);
        for (var position = 0; position < 2; position++)
        {
            var (table, other, layer) = (
                model.Memory.Tables.Table(position),
                shuffled.Tables.Table(position),
                model.Memory.Addresser.Constants.Layers[position]
            );
            long[] ends = [.. layer.Offsets.Skip(1), layer.TotalRows];
            foreach (var (first, end) in layer.Offsets.Zip(ends))
            {
                var heads = (Rows(table, first, end), Rows(other, first, end));
                Assert.NotEqual(heads.Item1, heads.Item2);
                Assert.Equal(heads.Item1.Order(StringComparer.Ordinal), heads.Item2.Order(StringComparer.Ordinal));
            }
        }

        static List<string> Rows(Engram.Tables.EngramTable table, long first, long end) =>
            [.. Enumerable.Range((int)first, (int)(end - first)).Select(row => string.Join(' ', table.Row(row).ToArray()))];
    }

    [Fact]
    public void One_row_per_head_has_nothing_to_shuffle()
    {
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { OneRow = true }));
        Assert.Equal(model.Memory!.Columns, model.Memory.Tables.Table(0).Rows);
        Assert.Equal(Measure(model, MemoryUse.On), Measure(model, MemoryUse.ShuffledRows));
        Assert.NotEqual(Measure(model, MemoryUse.On), Measure(model, MemoryUse.Off));
    }

    [Fact]
    public void Training_makes_the_memory_worth_more_than_its_shuffled_rows()
    {
        using var folder = new Engram.Tests.Storage.TemporaryFolder();
        var setup = TinyRun.Setup(
            folder.File("run"),
            TinyRun.Options with
            {
                Steps = 60,
                Sequences = 8,
                LearningRate = 1e-2,
                ValidateEvery = 0,
                CheckpointEvery = 0,
            }
        ) with
        {
            Configuration = TinyRun.WithMemory(memory => memory with { SlotsPerOrder = [1009, 1009] }),
        };
        var result = TinyRun.Train(setup)!;
        using var model = LanguageModel.Load(result.ModelFolder);
        var (on, off, shuffled) = (Measure(model, MemoryUse.On), Measure(model, MemoryUse.Off), Measure(model, MemoryUse.ShuffledRows));
        Assert.True(on < off - 0.02 && on < shuffled - 0.02, $"on {on}, off {off}, shuffled {shuffled}");
    }

    [Fact]
    public void What_cannot_be_measured_is_refused()
    {
        using var dense = RandomModel.Create(TinyRun.Configuration with { Engram = null });
        Assert.Contains(
            "prepared with the tokenizer",
            Assert.Throws<InvalidDataException>(() => ValidationLoss.Measure(dense, TinyCorpus.Other, Length, 2, null)).Message
        );
        Assert.Throws<InvalidDataException>(() => ValidationLoss.Measure(dense, TinyCorpus.Shared, 1 << 20, 2, null));
    }

    private static double Measure(LanguageModel model, MemoryUse use) =>
        model.Under(use, memory => ValidationLoss.Measure(model, TinyCorpus.Shared, Length, Sequences, memory).Nats);

    private delegate GatheredMemory? Gather(ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, int sequences, MemoryBank? memory);

    /// <summary>Cross-entropy of each sequence on its own, from the logits, in double precision; and the bytes of all targets.</summary>
    private static (List<double> Nats, long Bytes) OneByOne(LanguageModel model, Gather gather)
    {
        var (nats, bytes) = (new List<double>(), 0L);
        foreach (var batch in new ValidationBatches(TinyCorpus.Shared, Sequences, 1, Length))
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            using var memory = gather(batch.Inputs, batch.DocumentStarts, 1, null);
            var (hidden, _) = model.Transformer.Forward(batch.Inputs, batch.DocumentStarts, 1, memory);
            var logProbabilities = nn.functional.log_softmax(model.Transformer.Logits(hidden).to(ScalarType.Float64), -1);
            nats.Add(-Enumerable.Range(0, Length).Average(t => logProbabilities[t, batch.Targets[t]].item<double>()));
            bytes += batch.Targets.Sum(id => (long)TinyCorpus.Shared.TokenBytes[id]);
        }

        return (nats, bytes);
    }
}
