using CsCheck;
using Engram.Tables.Training;

namespace Engram.Tests.Tables.Training;

public sealed class BFloat16Tests
{
    [Fact]
    public void Every_value_survives_widening_and_rounding()
    {
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
            if (float.IsFinite(BFloat16.Widen((ushort)bits)))
                Assert.Equal(bits, BFloat16.Round(BFloat16.Widen((ushort)bits)));
    }

    /// <summary>Between two neighbours the nearer one, in the middle the even one: checked in double, where halves are exact.</summary>
    [Fact]
    public void Rounding_is_to_nearest_even()
    {
        Gen.UInt[0, 0x7F7EFFFF]
            .Sample(bits =>
            {
                double value = BitConverter.UInt32BitsToSingle(bits);
                var below = (ushort)(bits >> 16);
                var (low, high) = ((double)BFloat16.Widen(below), (double)BFloat16.Widen((ushort)(below + 1)));
                var middle = (low + high) / 2;
                var expected = value < middle || (value == middle && below % 2 == 0) ? low : high;
                Assert.Equal(expected, BFloat16.Widen(BFloat16.Round((float)value)));
                Assert.Equal(-expected, BFloat16.Widen(BFloat16.Round((float)-value)));
            });
        // 1 + 2⁻⁸ lies in the middle of 1 and 1 + 2⁻⁷, 1 + 3·2⁻⁸ in that of 1 + 2⁻⁷ and 1 + 2⁻⁶.
        Assert.Equal(1, BFloat16.Widen(BFloat16.Round(1 + 1 / 256f)));
        Assert.Equal(BFloat16.Widen(0x7F7F), BFloat16.Widen(BFloat16.Round(float.MaxValue)));
        Assert.Equal(1 + 1 / 64f, BFloat16.Widen(BFloat16.Round(1 + 3 / 256f)));
    }

    [Fact]
    public void Vectors_and_scalars_give_the_same_bits() =>
        Gen.Select(Gen.Int[0, 70], Gen.Int[0, 1_000_000])
            .Sample(
                (length, seed) =>
                {
                    var random = new Random(seed);
                    var values = Enumerable
                        .Range(0, length)
                        .Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-40, 30))))
                        .ToArray();
                    var rounded = new ushort[length];
                    BFloat16.Round(values, rounded);
                    Assert.Equal(values.Select(BFloat16.Round), rounded);
                    var widened = new float[length];
                    BFloat16.Widen(rounded, widened);
                    Assert.Equal(rounded.Select(BFloat16.Widen), widened);
                }
            );

    /// <summary>1 − β against half a unit in the last place: what <see cref="MomentFormat"/> says about decays.</summary>
    [Theory]
    [InlineData(0.9f, true)]
    [InlineData(0.95f, true)]
    [InlineData(0.9960f, true)]
    [InlineData(0.9985f, false)]
    [InlineData(0.999f, false)]
    public void A_moment_fades_only_if_its_decay_is_not_lost_in_rounding(float beta, bool fades)
    {
        for (var mantissa = 0; mantissa < 128; mantissa++)
        {
            var moment = (ushort)(0x3F80 + mantissa);
            var next = BFloat16.Round(BFloat16.Widen(moment) * beta);
            Assert.True(fades ? next < moment : next == moment, $"{BFloat16.Widen(moment)} becomes {BFloat16.Widen(next)}");
        }
    }
}
