using CsCheck;
using Engram.Addressing;

namespace Engram.Tests.Addressing;

public class FastModuloTests
{
    /// <summary>
    /// Divisors of every size and numerators that are random, extreme, or next to a multiple of the divisor, where a wrong quotient shows.
    /// </summary>
    [Fact]
    public void Equals_the_remainder()
    {
        var divisors = Gen.Int[1, 61].SelectMany(bits => Gen.Long[Math.Max(2, 1L << bits), 1L << (bits + 1)]);
        Gen.Select(divisors, Gen.Long[0, long.MaxValue])
            .Sample(
                (divisor, n) =>
                {
                    var modulo = new FastModulo(divisor);
                    Check(n);
                    var multiple = n - n % divisor;
                    Check(multiple);
                    Check(Math.Max(0, multiple - 1));
                    Check(multiple + (divisor - 1) is >= 0 and var below ? below : 0);

                    void Check(long value) => Assert.Equal(value % divisor, modulo.Of((ulong)value));
                },
                iter: 100_000
            );
    }

    [Fact]
    public void Holds_at_both_ends()
    {
        var special = Enumerable
            .Range(1, 62)
            .SelectMany(bits => new[] { (1L << bits) - 1, 1L << bits, (1L << bits) + 1 })
            .Concat([2, 3, 5, 13, 646_403, 2_262_409, 16_000_057])
            .Where(d => d is >= 2 and <= 1L << 62);
        foreach (var divisor in special)
        {
            var modulo = new FastModulo(divisor);
            var last = long.MaxValue - long.MaxValue % divisor;
            long[] values = [0, 1, divisor - 1, divisor, divisor + 1, last - 1, last, long.MaxValue - 1, long.MaxValue];
            Assert.All(values, n => Assert.Equal(n % divisor, modulo.Of((ulong)n)));
        }
    }

    [Fact]
    public void Every_remainder_of_a_table_segment_occurs()
    {
        var modulo = new FastModulo(13);
        for (var n = 0L; n < 10_000; n++)
            Assert.Equal(n % 13, modulo.Of((ulong)n));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FastModulo(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FastModulo((1L << 62) + 1));
    }
}
