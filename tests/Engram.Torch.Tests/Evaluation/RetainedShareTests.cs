using Engram.Evaluation.Metrics;

namespace Engram.Torch.Tests.Evaluation;

public sealed class RetainedShareTests
{
    private static readonly PairedItem[] Four = [new(1, 1, 0.25), new(1, 0, 0.25), new(0, 0, 0.25), new(1, 1, 0.25)];

    /// <summary>
    /// By hand: 0.5 of 0.75 is 2/3, differences 1/3 −2/3 0 1/3, variance 2/9; above chance 0.25 of 0.5, differences 3/8 −5/8 −1/8 3/8,
    /// variance 11/48.
    /// </summary>
    [Fact]
    public void Share_and_error_are_those_worked_by_hand()
    {
        var retained = RetainedShare.Of([Four], weightBySize: true);
        Assert.Equal((0.75, 0.5, 0.25, 4), (retained.Full, retained.Less, retained.Chance, retained.Items));
        Assert.Equal(2 / 3.0, retained.Share!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(2 / 9.0 / 4) / 0.75, retained.ShareError!.Value, 1e-12);
        Assert.Equal(0.5, retained.AboveChance!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(11 / 48.0 / 4) / 0.5, retained.AboveChanceError!.Value, 1e-12);
    }

    /// <summary>By hand: twice the items in twice the groups' size leave shares and errors as they are.</summary>
    [Fact]
    public void Items_about_one_fact_count_as_one_for_the_error()
    {
        PairedItem[] twice = [.. Four.SelectMany((item, i) => new[] { item with { Cluster = $"{i}" }, item with { Cluster = $"{i}" } })];
        var (four, eight) = (RetainedShare.Of([Four], weightBySize: true), RetainedShare.Of([twice], weightBySize: true));
        Assert.Equal((four.Share, 8), (eight.Share, eight.Items));
        Assert.Equal(four.ShareError!.Value, eight.ShareError!.Value, 1e-12);
        Assert.Equal(four.AboveChanceError!.Value, eight.AboveChanceError!.Value, 1e-12);
        PairedItem[] one = [new(1, 1, 0, "a"), new(1, 0, 0, "a")];
        Assert.Null(RetainedShare.Of([one], weightBySize: true).ShareError);
    }

    [Fact]
    public void Tasks_count_by_size_or_alike()
    {
        PairedItem[] two = [new(1, 0, 0), new(0, 0, 0)];
        Assert.Equal(0.5, RetainedShare.Of([Four, two], weightBySize: true).Share!.Value, 1e-12); // 2/6 of 4/6
        Assert.Equal(0.4, RetainedShare.Of([Four, two], weightBySize: false).Share!.Value, 1e-12); // (0.5 + 0)/2 of (0.75 + 0.5)/2
        Assert.Equal(0.125, RetainedShare.Of([Four, two], weightBySize: false).Chance, 1e-12);
    }

    [Fact]
    public void Nothing_is_kept_of_what_was_not_there()
    {
        var guessing = RetainedShare.Of(
            [
                [new(0, 0, 0.25), new(1, 1, 0.25), new(0, 1, 0.25), new(0, 0, 0.25)],
            ],
            weightBySize: true
        );
        Assert.Equal(2, guessing.Share);
        Assert.Null(guessing.AboveChance);
        Assert.Null(
            RetainedShare
                .Of(
                    [
                        [new(0, 0, 0), new(0, 1, 0)],
                    ],
                    weightBySize: true
                )
                .Share
        );
        Assert.Null(
            RetainedShare
                .Of(
                    [
                        [new(1, 1, 0)],
                    ],
                    weightBySize: true
                )
                .ShareError
        );
        Assert.Throws<ArgumentException>(() =>
            RetainedShare.Of(
                [
                    [],
                ],
                weightBySize: true
            )
        );
    }

    [Fact]
    public void The_closed_form_agrees_with_drawing_pairs_again()
    {
        var random = new Random(5);
        PairedItem[] items =
        [
            .. Enumerable
                .Range(0, 600)
                .Select(_ =>
                {
                    var full = random.NextDouble() < 0.7 ? 1.0 : 0;
                    return new PairedItem(full, random.NextDouble() < 0.8 ? full : 0, random.Next(2) == 0 ? 0.25 : 0.1);
                }),
        ];
        var retained = RetainedShare.Of([items], weightBySize: true);
        Assert.Equal(1, retained.ShareError!.Value / Drawn(item => item.Less, item => item.Full), 0.1);
        Assert.Equal(1, retained.AboveChanceError!.Value / Drawn(item => item.Less - item.Chance, item => item.Full - item.Chance), 0.1);

        double Drawn(Func<PairedItem, double> above, Func<PairedItem, double> below) =>
            Bootstrap.StandardError(
                items.Length,
                indices =>
                {
                    var (a, b) = (0.0, 0.0);
                    foreach (var index in indices)
                        (a, b) = (a + above(items[index]), b + below(items[index]));
                    return a / b;
                },
                seed: 3,
                resamples: 2000
            );
    }
}
