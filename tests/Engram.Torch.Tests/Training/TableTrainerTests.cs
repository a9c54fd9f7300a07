using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Tables;
using Engram.Tests.Storage;
using Engram.Torch.Memory;
using Engram.Torch.Tests.Memory;
using Engram.Training;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Tests.Training;

/// <summary>Gradients that reach the tables past autograd are those that autograd finds when a table is an embedding.</summary>
public sealed class TableTrainerTests : IDisposable
{
    private const int Sequences = 8;
    private const int Length = 16;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Row_gradients_equal_those_of_an_embedding(int parts)
    {
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(TinyRun.Configuration);
        var batch = Batch(model);
        var dense = new Reference(model, batch);
        using var trainer = Accumulated(model, batch, parts);

        var (sum, compared) = (0.0, 0);
        foreach (var (table, expected) in Gradients(trainer, model).Zip(dense.Tables))
        {
            var largest = TensorPrimitives.MaxMagnitude<float>(expected);
            foreach (var (row, gradient) in table)
                for (var i = 0; i < gradient.Length; i++)
                    // Float32 sums over up to a hundred positions in another order, and micro-batches sum their products in other pieces.
                    Assert.Equal(expected[row * gradient.Length + i], gradient[i], 1e-5 * Math.Abs(largest));
            var read = table.Keys.ToHashSet();
            for (var i = 0; i < expected.Length; i++)
                Assert.True(
                    expected[i] == 0 || read.Contains(i / model.Memory!.Tables.Table(0).Width),
                    $"row of value {i} was not read, but has a gradient"
                );
            sum += TensorPrimitives.SumOfSquares<float>(expected);
            compared += table.Count;
        }

        Assert.True(compared > 100, $"only {compared} rows");
        Assert.Equal(sum, trainer.SumOfSquares(), 1e-5 * sum);
    }

    [Fact]
    public void Micro_batches_change_nothing_but_the_order_of_sums()
    {
        // The same positions contribute the same products; only their float32 sums are taken in another order.
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(TinyRun.Configuration);
        var batch = Batch(model);
        using var twin = RandomModel.Create(TinyRun.Configuration);
        using var whole = Accumulated(twin, batch, parts: 1);
        using var cut = Accumulated(model, batch, parts: 8);
        foreach (var (one, other) in Gradients(whole, twin).Zip(Gradients(cut, model)))
        {
            Assert.Equal(one.Keys, other.Keys);
            var largest = one.Values.Max(gradient => Math.Abs(TensorPrimitives.MaxMagnitude<float>(gradient)));
            foreach (var row in one.Keys)
                for (var i = 0; i < one[row].Length; i++)
                    Assert.Equal(one[row][i], other[row][i], 1e-5 * largest);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Gradient_norm_of_a_run_counts_tables_as_an_embedding_would(int accumulation)
    {
        var options = TinyRun.Options with { Steps = 1, Sequences = Sequences / accumulation, AccumulationSteps = accumulation };
        TinyRun.Train(TinyRun.Setup(_folder.File("run"), options));
        var first = JsonNode.Parse(File.ReadLines(_folder.File("run/metrics.jsonl")).First())!;

        using var scope = NewDisposeScope();
        using var model = LanguageModel.Create(TinyRun.Configuration, TinyCorpus.Shared.Tokenizer, options.Seed);
        var dense = new Reference(model, Batch(model));
        Assert.Equal(dense.Loss, first["loss"]!.GetValue<double>(), 1e-5 * dense.Loss);
        Assert.Equal(dense.Norm, first["gradient_norm"]!.GetValue<double>(), 1e-4 * dense.Norm);
        Assert.True(dense.NormOfTables > 0.01 * dense.Norm, $"tables have {dense.NormOfTables} of {dense.Norm}");
    }

    [Fact]
    public void Clipping_scales_what_the_tables_receive()
    {
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(TinyRun.Configuration);
        var batch = Batch(model);
        using var optimizer = new DenseOptimizer(model.Transformer.Parameters.All, new DenseOptimizerOptions());
        using var twin = RandomModel.Create(TinyRun.Configuration);
        using var whole = Accumulated(twin, batch, parts: 1);
        using var clipped = Accumulated(model, batch, parts: 1);
        var clip = GradientClipping.Apply(optimizer.Parameters, 1e-3, clipped.SumOfSquares());
        Assert.Equal(1e-3 / clip.Norm, clip.Factor, 1e-12);
        foreach (var (before, after) in Gradients(whole, twin).Zip(Gradients(clipped, model, clip.Factor)))
        foreach (var row in before.Keys)
            for (var i = 0; i < before[row].Length; i++)
                Assert.Equal(before[row][i] * clip.Factor, after[row][i], 1e-6 * Math.Abs(before[row][i] * clip.Factor) + 1e-30);
    }

    [Fact]
    public void Frozen_tables_keep_every_bit()
    {
        var options = TinyRun.Options with { Steps = 4, TableLearningRateMultiplier = 0 };
        var result = TinyRun.Train(TinyRun.Setup(_folder.File("run"), options))!;
        using var before = LanguageModel.Create(TinyRun.Configuration, TinyCorpus.Shared.Tokenizer, options.Seed);
        using var after = LanguageModel.Load(result.ModelFolder);
        for (var position = 0; position < 2; position++)
            Assert.True(Values(before.Memory!.Tables.Table(position)).SequenceEqual(Values(after.Memory!.Tables.Table(position))));
        Assert.False(
            before
                .Transformer.Parameters["model.layers.1.engram.wkv.weight"]
                .Tensor.bytes.SequenceEqual(after.Transformer.Parameters["model.layers.1.engram.wkv.weight"].Tensor.bytes)
        );
    }

    [Fact]
    public void Frozen_by_configuration_they_are_random_and_cost_no_state()
    {
        var configuration = TinyRun.WithMemory(memory => memory with { TableInitStd = 0.02, Tables = EngramTables.Frozen });
        var options = TinyRun.Options with { Steps = 4 };
        TinyRun.Train(TinyRun.Setup(_folder.File("run"), options) with { Configuration = configuration }, stop: 3);
        var checkpoint = Path.Combine(_folder.File("run"), "checkpoints");
        Assert.NotEmpty(Directory.GetFiles(checkpoint, "optimizer.safetensors", SearchOption.AllDirectories));
        Assert.Empty(Directory.GetFiles(checkpoint, "table-*", SearchOption.AllDirectories));
        var result = TinyRun.Train(TinyRun.Setup(_folder.File("run"), options, resume: true) with { Configuration = configuration })!;
        using var before = LanguageModel.Create(configuration, TinyCorpus.Shared.Tokenizer, options.Seed);
        using var after = LanguageModel.Load(result.ModelFolder);
        Assert.Contains(Values(before.Memory!.Tables.Table(0)).ToArray(), value => value != 0);
        for (var position = 0; position < 2; position++)
            Assert.True(Values(before.Memory.Tables.Table(position)).SequenceEqual(Values(after.Memory!.Tables.Table(position))));
        Assert.False(
            before
                .Transformer.Parameters["model.layers.1.engram.wkv.weight"]
                .Tensor.bytes.SequenceEqual(after.Transformer.Parameters["model.layers.1.engram.wkv.weight"].Tensor.bytes)
        );
    }

    [Fact]
    public void Dead_positions_train_no_row_and_count_in_no_norm()
    {
        using var scope = NewDisposeScope();
        int[] dead = [.. Enumerable.Range(0, 300).Where(id => id % 3 == 0)];
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { DeadTokenIds = dead }));
        var batch = Batch(model);
        Assert.Contains(batch.Inputs, id => id % 3 == 0);
        using var trainer = Accumulated(model, batch, parts: 2);
        var norm = trainer.SumOfSquares();
        var rows = Gradients(trainer, model);
        Assert.All(rows, table => Assert.All(table.Keys, row => Assert.True(row >= 0)));
        Assert.Equal(norm, rows.Sum(table => table.Values.Sum(row => row.Sum(value => (double)value * value))), 1e-4 * norm);
    }

    [Fact]
    public void Rows_never_read_keep_every_bit_and_the_others_move()
    {
        var options = TinyRun.Options with { Steps = 3 };
        var setup = TinyRun.Setup(_folder.File("run"), options) with
        {
            Configuration = TinyRun.WithMemory(memory => memory with { TableInitStd = 0.02, SlotsPerOrder = [2003, 2003] }),
        };
        var result = TinyRun.Train(setup)!;
        using var before = LanguageModel.Create(setup.Configuration, TinyCorpus.Shared.Tokenizer, options.Seed);
        using var after = LanguageModel.Load(result.ModelFolder);
        var sampler = new BatchSampler(TinyCorpus.Shared, options.Length, (ulong)options.Seed);
        var read = new HashSet<(int, long)>();
        for (var step = 0; step < options.Steps; step++)
        {
            var (batch, rows) = (new TokenBatch(options.Sequences, options.Length), new MemoryRows());
            sampler.Next(batch);
            before.Memory!.Address(batch.Inputs, batch.DocumentStarts, batch.Sequences, rows);
            for (var position = 0; position < 2; position++)
                foreach (var row in rows.Layer(position))
                    read.Add((position, row));
        }

        var moved = 0;
        for (var position = 0; position < 2; position++)
        for (var row = 0L; row < before.Memory!.Tables.Table(position).Rows; row++)
        {
            var same = before.Memory.Tables.Table(position).Row(row).SequenceEqual(after.Memory!.Tables.Table(position).Row(row));
            Assert.True(same || read.Contains((position, row)), $"row {row} of table {position} moved unread");
            moved += same ? 0 : 1;
        }

        Assert.Equal(read.Count, moved);
        Assert.InRange(moved, 200, 2 * 4 * 2003 / 2);
    }

    private static TokenBatch Batch(LanguageModel model)
    {
        Assert.NotNull(model.Memory);
        var batch = new TokenBatch(Sequences, Length);
        new BatchSampler(TinyCorpus.Shared, Length, (ulong)TinyRun.Options.Seed).Next(batch);
        return batch;
    }

    /// <summary>A trainer that has seen the batch in so many micro-batches, before its step.</summary>
    private static TableTrainer Accumulated(LanguageModel model, TokenBatch batch, int parts)
    {
        var trainer = new TableTrainer(model.Memory!, TinyRun.Options);
        var rows = new MemoryRows();
        model.Memory!.Address(batch.Inputs, batch.DocumentStarts, Sequences, rows);
        trainer.Begin(rows);
        for (var part = 0; part < parts; part++)
        {
            using var scope = NewDisposeScope();
            var (sequences, tokens) = (Sequences / parts, Sequences / parts * Length);
            var range = new Range(part * tokens, (part + 1) * tokens);
            using var memory = model.Memory.Gather(rows, part * sequences, sequences, Length, CPU, requiresGradient: true);
            var (hidden, _) = model.Transformer.Forward(
                batch.Inputs.AsSpan(range),
                batch.DocumentStarts.AsSpan(range),
                sequences,
                memory,
                training: true
            );
            (model.Transformer.Loss(hidden, batch.Targets[range]) / parts).backward();
            trainer.Accumulate(memory, part * tokens, tokens);
        }

        return trainer;
    }

    /// <summary>
    /// Summed gradients by row. A first update of Adam makes the mean (1 − β₁)·g with β₁ = 0.9, which the saved state shows. The learning
    /// rate 0 leaves the tables as they are.
    /// </summary>
    private List<SortedDictionary<long, float[]>> Gradients(TableTrainer trainer, LanguageModel model, double scale = 1)
    {
        var folder = Directory.CreateDirectory(_folder.File(Path.GetRandomFileName())).FullName;
        trainer.Step(0, scale);
        Directory.CreateDirectory(Path.Combine(folder, "engram"));
        model.Memory!.Tables.SaveCheckpoint(folder, folder, step: 1);
        return
        [
            .. model.Memory.LayerIds.Select(layer =>
            {
                using var file = SafetensorsFile.Open(Path.Combine(folder, $"table-{layer:00}.safetensors"));
                var name = $"model.layers.{layer}.engram.embed.weight";
                var rows = new long[file.Tensors[$"{name}.rows"].Shape[0]];
                var width = model.Memory.Tables.Table(0).Width;
                var means = new float[rows.Length * width];
                file.CopyTo<long>($"{name}.rows", rows);
                file.CopyTo<float>($"{name}.exp_avg", means);
                var gradients = new SortedDictionary<long, float[]>();
                for (var i = 0; i < rows.Length; i++)
                    gradients.Add(rows[i], [.. means.AsSpan(i * width, width).ToArray().Select(mean => mean / (float)(1 - 0.9))]);
                return gradients;
            }),
        ];
    }

    private static unsafe ReadOnlySpan<byte> Values(EngramTable table) =>
        new(table.Pointer, (int)(table.Rows * table.Width * sizeof(float)));

    /// <summary>The same update with each table as a parameter that autograd indexes.</summary>
    private sealed class Reference
    {
        public Reference(LanguageModel model, TokenBatch batch)
        {
            foreach (var parameter in model.Transformer.Parameters.All)
                parameter.Tensor.grad = null;
            var rows = new MemoryRows();
            model.Memory!.Address(batch.Inputs, batch.DocumentStarts, Sequences, rows);
            using var memory = new GatheredMemory();
            var tables = new List<Tensor>();
            for (var position = 0; position < model.Memory.LayerIds.Count; position++)
            {
                var table = model.Memory.Tables.Table(position);
                var weight = tensor(MemoryMarshal.Cast<byte, float>(Values(table)).ToArray(), [table.Rows, table.Width]).requires_grad_();
                tables.Add(weight);
                memory.Set(
                    model.Memory.LayerIds[position],
                    weight
                        .index_select(0, tensor(rows.Layer(position).ToArray()))
                        .view(Sequences, Length, model.Memory.Columns * table.Width)
                );
            }

            var (hidden, _) = model.Transformer.Forward(batch.Inputs, batch.DocumentStarts, Sequences, memory, training: true);
            var loss = model.Transformer.Loss(hidden, batch.Targets);
            loss.backward();
            Loss = loss.item<float>();
            Tables = [.. tables.Select(table => table.grad!.data<float>().ToArray())];
            var squares = Tables.Sum(gradient => gradient.Sum(g => (double)g * g));
            NormOfTables = Math.Sqrt(squares);
            Norm = Math.Sqrt(
                squares
                    + model.Transformer.Parameters.All.Sum(parameter =>
                        parameter.Tensor.grad!.to(ScalarType.Float64).square().sum().item<double>()
                    )
            );
            foreach (var parameter in model.Transformer.Parameters.All)
                parameter.Tensor.grad = null;
        }

        public double Loss { get; }

        public IReadOnlyList<float[]> Tables { get; }

        public double NormOfTables { get; }

        public double Norm { get; }
    }
}
