using Engram.Torch.Kernels;

namespace Engram.Torch.Tests.Kernels;

public class SoftmaxRowTests
{
    // Around the sixteen lanes, and rows with many of them.
    public static TheoryData<int> Lengths => [1, 2, 15, 16, 17, 31, 32, 33, 48, 100, 1000];

    [Theory, MemberData(nameof(Lengths))]
    public unsafe void Agrees_with_the_scalar_form(int length)
    {
        var random = new Random(length);
        var logits = Enumerable.Range(0, length).Select(_ => 80 * random.NextSingle() - 40).ToArray();
        var row = logits.ToArray();
        float max,
            sum;
        fixed (float* p = row)
            (max, sum) = SoftmaxRow.Exponentials(p, length);
        Assert.Equal(logits.Max(), max);
        // Exponentials of float32 are right to some units in the last place: 4 · 2⁻²³ = 5e-7.
        Assert.All(logits.Zip(row), pair => Near(Math.Exp(pair.First - max), pair.Second, 5e-7));
        // At most 63 additions in a lane and 16 of lanes, each right to 2⁻²⁴ = 6e-8, of positive numbers.
        Near(row.Sum(x => (double)x), sum, 79 * 6e-8);

        var scaled = row.ToArray();
        fixed (float* p = scaled)
            SoftmaxRow.Scale(p, length, 0.3f);
        Assert.Equal(row.Select(x => x * 0.3f), scaled);
    }

    [Theory, MemberData(nameof(Lengths))]
    public unsafe void The_largest_logit_may_stand_anywhere(int length)
    {
        for (var at = 0; at < length; at++)
        {
            var row = Enumerable.Repeat(-1000f, length).ToArray();
            row[at] = 5;
            fixed (float* p = row)
            {
                var (max, sum) = SoftmaxRow.Exponentials(p, length);
                Assert.Equal(5, max);
                Near(1, sum, 5e-7);
            }
            // Even exp(0) is right to some units in the last place only.
            Near(1, row[at], 5e-7);
            Near(1, row.Sum(), 5e-7);
        }
    }

    private static void Near(double expected, double actual, double relative) =>
        Assert.InRange(actual, expected * (1 - relative), expected * (1 + relative));
}
