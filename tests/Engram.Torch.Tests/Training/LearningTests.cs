using Engram.Models.Configuration;
using Engram.Tables.Training;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>
/// Training learns, and the memory is what learns facts. The task: of 16 symbols, the next is a fixed random function of the two before in
/// three cases of four, and any symbol in the fourth. That are 256 facts, each of which trigram rows can hold by themselves; a guess costs
/// ln 16 = 2.77 nats, and knowing all facts 1.25.
/// </summary>
public sealed class LearningTests
{
    private const int Symbols = 16;
    private const int Updates = 40;

    // Nats by which trained tables must be better than a control. They are by 0.34 and more; a memory that learns nothing gives about 0.
    private const double Margin = 0.2;

    private static TrainingOptions Options { get; } =
        TinyRun.Options with
        {
            Steps = Updates,
            Sequences = 16,
            Length = 32,
            LearningRate = 1e-2,
        };

    private static ModelConfiguration Memory { get; } =
        TinyRun.WithMemory(memory => memory with { TableInitStd = 0.02, SlotsPerOrder = [1009, 1009] });

    private static readonly Lazy<double> Frozen = new(() => Loss(Memory, Options with { TableLearningRateMultiplier = 0 }));
    private static readonly Lazy<double> OneRow = new(() => Loss(Memory with { Engram = Memory.Engram! with { OneRow = true } }, Options));

    [Theory]
    [InlineData(TableOptimizer.Adam)]
    [InlineData(TableOptimizer.DeferredAdam)] // dense Adam to the bit: TableOptimizerRunTests
    [InlineData(TableOptimizer.Adagrad)]
    [InlineData(TableOptimizer.Sinkhorn)]
    public void Every_table_optimizer_beats_frozen_tables_and_a_table_of_one_row(TableOptimizer optimizer)
    {
        var loss = Loss(Memory, Options with { TableOptimizer = optimizer });
        Beats(loss, Frozen.Value);
        Beats(loss, OneRow.Value);
    }

    [Fact]
    public void Variant_of_V41_beats_frozen_tables_of_its_own()
    {
        var variant = TinyRun.V41();
        variant = variant with { Engram = variant.Engram! with { CompressedVocabularySize = 0, SlotsPerOrder = [1009, 1009, 1009] } };
        Beats(Loss(variant, Options), Loss(variant, Options with { TableLearningRateMultiplier = 0 }));
    }

    [Theory]
    [InlineData("tiny")]
    [InlineData("tiny-engram")]
    public void Batch_is_learnt_by_heart(string preset)
    {
        var options = TinyRun.Options with
        {
            Steps = 1000,
            Sequences = 2,
            Length = 16,
            LearningRate = 1e-2,
            WarmupSteps = 10,
            WeightDecay = 0,
        };
        using var model = LanguageModel.Create(Presets.Load(preset), TinyCorpus.Shared.Tokenizer, seed: 1);
        using var step = new TrainingStep(model, options);
        var batch = new StepBatch(options.Sequences, options.Length);
        Fill(batch, model, new Random(1), facts: null);
        var (first, last) = (0.0, double.MaxValue);
        for (var update = 1; update <= 200 && last >= 0.1; update++)
        {
            last = step.Update(batch, options.LearningRates.At(update)).Loss;
            first = update == 1 ? last : first;
        }
        Assert.Equal(Math.Log(model.Configuration.VocabularySize), first, 0.5);
        Assert.True(last < 0.1, $"{last} nats after 200 updates of one batch");
    }

    private static void Beats(double loss, double control) =>
        Assert.True(loss < control - Margin, $"{loss:F3} nats, the control {control:F3}");

    /// <summary>Mean loss over the last 20 updates; every update has fresh text, so it is a loss on unseen text.</summary>
    private static double Loss(ModelConfiguration configuration, TrainingOptions options)
    {
        using var model = LanguageModel.Create(configuration, TinyCorpus.Shared.Tokenizer, seed: 1);
        using var step = new TrainingStep(model, options);
        var (batch, random, facts) = (new StepBatch(options.Sequences, options.Length), new Random(1), new int[Symbols * Symbols]);
        foreach (ref var fact in facts.AsSpan())
            fact = random.Next(Symbols);
        var sum = 0.0;
        for (var update = 1; update <= Updates; update++)
        {
            Fill(batch, model, random, facts);
            var outcome = step.Update(batch, options.LearningRates.At(update));
            Assert.Null(outcome.NonFinite);
            sum += update > Updates - 20 ? outcome.Loss / 20 : 0;
        }
        return sum;
    }

    /// <summary>Text of the task, or random symbols without facts.</summary>
    private static void Fill(StepBatch batch, LanguageModel model, Random random, int[]? facts)
    {
        var (tokens, length) = (batch.Tokens, batch.Tokens.Length);
        // Ids of whole words and letters, which stay apart when the vocabulary is compressed.
        int[] ids = model.Memory is { } memory
            ? [.. Enumerable.Range(2, model.Tokenizer.VocabularySize - 2).DistinctBy(id => memory.Map[id]).Take(Symbols)]
            : [.. Enumerable.Range(2, Symbols)];
        tokens.DocumentStarts.AsSpan().Clear();
        for (var sequence = 0; sequence < tokens.Sequences; sequence++)
        {
            var (before, current) = (random.Next(Symbols), random.Next(Symbols));
            for (var i = 0; i < length; i++)
            {
                var next = facts is null || random.Next(4) == 0 ? random.Next(Symbols) : facts[before * Symbols + current];
                (tokens.Inputs[sequence * length + i], tokens.Targets[sequence * length + i]) = (ids[current], ids[next]);
                (before, current) = (current, next);
            }
        }
        model.Memory?.Address(tokens.Inputs, tokens.DocumentStarts, tokens.Sequences, batch.Rows);
    }
}
