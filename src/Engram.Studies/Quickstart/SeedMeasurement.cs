using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch;
using Engram.Torch.Generation;
using Engram.Training;

namespace Engram.Studies.Quickstart;

/// <summary>Measures the trained models of one seed: what training has not measured yet.</summary>
/// <param name="study">The arms.</param>
/// <param name="folder">Holds a finished run of each.</param>
/// <param name="corpus">What they were trained on; stays the caller's.</param>
internal sealed class SeedMeasurement(QuickstartStudy study, QuickstartFolder folder, PreparedCorpus corpus)
{
    private const int PromptTokens = 16;

    /// <summary>Loads the models one by one.</summary>
    public SeedResult Measure(long seed, CancellationToken cancellation)
    {
        var prompt = ValidationText.Opening(corpus, PromptTokens);
        var (arms, samples) = (new List<ArmResult>(), new List<TextSample>());
        var (memoryOff, shuffledRows, oneRowMemoryOff) = (0.0, 0.0, 0.0);
        foreach (var arm in study.Arms)
        {
            cancellation.ThrowIfCancellationRequested();
            var run = folder.Run(seed, arm);
            var result =
                TrainingResult.Read(run)
                ?? throw new FileNotFoundException($"{run}: holds no finished run.", Path.Combine(run, TrainingResult.FileName));
            // The path inside the result is one of the call that trained it.
            var trained = folder.Model(seed, arm.Name);
            arms.Add(Describe(arm, result, trained));
            using var model = LanguageModel.Load(trained);
            samples.Add(
                new TextSample(
                    arm.Name,
                    string.Concat(new TextGenerator(model).Stream(prompt, study.Sampling, model.Memory, cancellation: cancellation))
                )
            );
            if (arm.Name == QuickstartStudy.Engram)
            {
                using var shuffled = model.Memory!.Ablation(MemoryUse.ShuffledRows);
                (memoryOff, shuffledRows) = (Loss(model, null), Loss(model, shuffled));
            }

            if (arm.Name == QuickstartStudy.OneRow)
                oneRowMemoryOff = Loss(model, null);
        }
        return new SeedResult(seed, arms, memoryOff, shuffledRows, oneRowMemoryOff, prompt, samples);
    }

    private static ArmResult Describe(QuickstartArm arm, TrainingResult result, string model)
    {
        var plan = ModelPlan.Of(arm.Configuration);
        return new ArmResult(
            arm.Name,
            plan.TotalParameters,
            plan.ActiveParameters,
            plan.MemoryParameters,
            result.ValidationLoss,
            result.BitsPerByte,
            result.TokensPerSecond,
            result.Seconds,
            model
        );
    }

    private double Loss(LanguageModel model, MemoryBank? memory) =>
        ValidationLoss.Measure(model, corpus, study.Training.Length, study.Training.ValidationSequences, memory).Nats;
}
