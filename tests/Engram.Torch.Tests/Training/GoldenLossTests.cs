using System.Text.Json;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Torch.Tests.Architecture;
using Engram.Torch.Tests.Layers;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>
/// Ten updates of every small preset give the recorded losses: whatever changes what training computes, on purpose or not, is seen here.
/// With ENGRAM_WRITE_GOLDEN=1 the losses are recorded anew.
/// </summary>
[OneThread]
public sealed class GoldenLossTests
{
    private const string Recording = "ENGRAM_WRITE_GOLDEN";

    // Nats, of the first updates and of all. Recorded with AVX-512. Without it the losses differ by up to 6e-6 and 4.3e-4, without AVX2 by
    // up to 1.3e-5 and 1.6e-3: sums in another order, and from the fifth update on a token here and there that goes to another expert.
    // Without experts and memory they differ by 1e-6.
    private const int First = 4;
    private const double FirstTolerance = 1e-4;
    private const double Tolerance = 5e-3;

    // Nats by which the last losses are below the first. A model that learns nothing ends within 0.05 of it.
    private const double Learnt = 0.5;

    private static readonly string RecordPath = Path.Combine(
        Repository.Root,
        "tests",
        "Engram.Torch.Tests",
        "Training",
        "golden-losses.json"
    );
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };
    private static readonly Lock Writing = new();

    private static TrainingOptions Options { get; } =
        TinyRun.Options with
        {
            Steps = 10,
            Sequences = 4,
            Length = 32,
            LearningRate = 1e-2,
            WarmupSteps = 2,
        };

    public static TheoryData<string> Small =>
        [
            .. Presets.Names.Where(name =>
                name.StartsWith("tiny", StringComparison.Ordinal) || name.StartsWith("quickstart", StringComparison.Ordinal)
            ),
        ];

    [Theory, MemberData(nameof(Small))]
    public void Ten_updates_give_the_recorded_losses(string preset)
    {
        var losses = Losses(preset);
        if (Environment.GetEnvironmentVariable(Recording) == "1")
            Record(preset, losses);
        Assert.True(losses[^3..].Average() < losses[0] - Learnt, string.Join(", ", losses));
        var recorded = Recorded().GetValueOrDefault(preset);
        Assert.True(recorded is not null, $"{RecordPath} has no losses of {preset}: run this test with {Recording}=1.");
        Assert.Equal(recorded.Length, losses.Length);
        for (var update = 0; update < losses.Length; update++)
            Assert.Equal(recorded[update], losses[update], update < First ? FirstTolerance : Tolerance);
    }

    private static double[] Losses(string preset)
    {
        using var model = LanguageModel.Create(
            VocabularyFit.Fit(Presets.Load(preset), TinyCorpus.Shared),
            TinyCorpus.Shared.Tokenizer,
            seed: 1
        );
        using var step = new TrainingStep(model, Options);
        var (batch, sampler) = (
            new StepBatch(Options.Sequences, Options.Length),
            new BatchSampler(TinyCorpus.Shared, Options.Length, seed: 1)
        );
        var losses = new double[Options.Steps];
        for (var update = 1; update <= losses.Length; update++)
        {
            sampler.Next(batch.Tokens);
            model.Memory?.Address(batch.Tokens.Inputs, batch.Tokens.DocumentStarts, batch.Tokens.Sequences, batch.Rows);
            losses[update - 1] = step.Update(batch, Options.LearningRates.At(update)).Loss;
        }
        return losses;
    }

    private static SortedDictionary<string, double[]> Recorded() =>
        File.Exists(RecordPath)
            ? JsonSerializer.Deserialize<SortedDictionary<string, double[]>>(File.ReadAllText(RecordPath))!
            : new(StringComparer.Ordinal);

    private static void Record(string preset, double[] losses)
    {
        lock (Writing)
        {
            var all = Recorded();
            all[preset] = [.. losses.Select(loss => Math.Round(loss, 6))];
            File.WriteAllText(RecordPath, JsonSerializer.Serialize(all, Indented) + "\n");
        }
    }
}
