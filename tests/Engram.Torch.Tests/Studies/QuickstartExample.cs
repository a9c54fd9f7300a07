using Engram.Studies.Quickstart;

namespace Engram.Torch.Tests.Studies;

/// <summary>Measurements made up by hand: results, sentences and reports are checked against them.</summary>
internal static class QuickstartExample
{
    public static readonly CorpusFigures Corpus = new("dotnet-docs", 60_000, 3_800_000, 200_000, 4096, 4.5);

    /// <summary>Losses in the order dense, moe, moe-few, engram, engram-one-row.</summary>
    public static SeedResult Seed(long seed, params double[] losses)
    {
        string[] names =
        [
            QuickstartStudy.Dense,
            QuickstartStudy.Moe,
            QuickstartStudy.MoeFew,
            QuickstartStudy.Engram,
            QuickstartStudy.OneRow,
        ];
        long[] totals = [250_000, 500_000, 260_000, 500_000, 380_000];
        return new SeedResult(
            seed,
            [
                .. names.Select(
                    (name, i) =>
                        new ArmResult(
                            name,
                            totals[i],
                            70_000,
                            name == QuickstartStudy.Engram ? 120_000 : 0,
                            losses[i],
                            losses[i] / 2,
                            10_000 + i,
                            60,
                            $"runs/seed-{seed}/{name}/model"
                        )
                ),
            ],
            MemoryOffLoss: 4.25,
            ShuffledRowsLoss: 4.5,
            OneRowMemoryOffLoss: losses[4] + 0.25,
            Prompt: "System.Collections <T> &",
            [.. names.Select(name => new TextSample(name, $"text of {name}"))]
        );
    }

    public static QuickstartResults Results(params SeedResult[] seeds) =>
        QuickstartResults.Of(QuickstartStudy.Default, seeds, Corpus, seconds: 321);

    /// <summary>Engram better than the other arms, the control as good as the mixture of experts.</summary>
    public static QuickstartResults OneSeed => Results(Seed(1, 3.5, 3, 3.125, 2.75, 3.0));
}
