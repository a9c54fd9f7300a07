using Engram.Addressing;

namespace Engram.Tests.Addressing;

public class PrimesTests
{
    [Fact]
    public void Agrees_with_a_sieve()
    {
        const int limit = 200_000;
        var composite = new bool[limit];
        for (var i = 2; i < limit; i++)
        {
            Assert.Equal(!composite[i], Primes.IsPrime((ulong)i));
            for (var multiple = 2 * i; multiple < limit; multiple += i)
                composite[multiple] = true;
        }
        Assert.False(Primes.IsPrime(0) || Primes.IsPrime(1));
    }

    [Theory]
    [InlineData(3215031751, false)] // strong pseudoprime to the bases 2, 3, 5, 7
    [InlineData(3825123056546413051, false)] // to the first nine primes
    [InlineData(18446744073709551557, true)] // the largest below 2^64
    [InlineData(18446744073709551556, false)]
    [InlineData(9223372036854775783, true)] // the largest below 2^63
    [InlineData(18446744030759878681, false)] // 4294967291², a square of the largest 32-bit prime
    [InlineData(16000057, true)]
    [InlineData(561, false)]
    public void Knows_the_hard_cases(ulong n, bool prime) => Assert.Equal(prime, Primes.IsPrime(n));

    [Fact]
    public void Published_presets_have_their_published_segments()
    {
        Expect(Derive([1, 14], 2_262_400, 3), [(2262409, 2262619, 36_199_972), (2262629, 2262859, 36_204_260)]);
        Expect(Derive([1, 14], 7_239_680, 3), [(7239691, 7239961, 115_837_464), (7239979, 7240183, 115_841_428)]);
        Expect(Derive([1, 15], 646_400, 3), [(646403, 646619, 10_344_164), (646631, 646879, 10_348_242)]);
        Expect(Derive([1, 14], 16_000_000, 4), [(16000057, 16000463, 384_006_168), (16000477, 16000889, 384_016_682)]);

        // Rows of width 80: the parameters of the paper's two sizes.
        Assert.Equal(5_792_338_560, 80 * Derive([1, 14], 2_262_400, 3).Layers.Sum(layer => layer.TotalRows));
        Assert.Equal(18_534_311_360, 80 * Derive([1, 14], 7_239_680, 3).Layers.Sum(layer => layer.TotalRows));

        static void Expect(AddressingConstants constants, (long First, long Last, long Sum)[] layers) =>
            Assert.Equal(layers, constants.Layers.Select(layer => (layer.Primes[0][0], layer.Primes[^1][^1], layer.TotalRows)));
    }

    [Fact]
    public void Segments_are_distinct_primes_one_after_the_other()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 311,
                Layers = [0, 1, 5],
                SlotsPerOrder = [13, 17, 2],
                HeadsPerOrder = 5,
                Seed = 42,
                PadId = 7,
            }
        );
        var primes = constants.Layers.SelectMany(layer => layer.Primes).SelectMany(heads => heads).ToArray();
        Assert.Equal(45, primes.Distinct().Count());
        Assert.All(primes, prime => Assert.True(Primes.IsPrime((ulong)prime)));
        Assert.Equal([13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 2, 3, 5, 7, 11], constants.Layers[0].Primes.SelectMany(heads => heads));
        foreach (var layer in constants.Layers)
        {
            var offset = 0L;
            foreach (var (prime, start) in layer.Primes.SelectMany(heads => heads).Zip(layer.Offsets))
            {
                Assert.Equal(offset, start);
                offset += prime;
            }
            Assert.Equal(offset, layer.TotalRows);
        }
    }

    [Fact]
    public void Primes_follow_the_position_of_a_layer_and_multipliers_its_index()
    {
        var (a, b) = (Derive([1, 14], 1000, 3), Derive([1, 2], 1000, 3));
        Assert.Equal(a.Layers[1].Primes.SelectMany(heads => heads), b.Layers[1].Primes.SelectMany(heads => heads));
        Assert.NotEqual(a.Layers[1].Multipliers, b.Layers[1].Multipliers);
        Assert.Equal(a.Layers[1].Multipliers, Derive([14], 1000, 3).Layers[0].Multipliers);
    }

    private static AddressingConstants Derive(int[] layers, long slots, int maxOrder) =>
        AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 99_092,
                Layers = [.. layers],
                SlotsPerOrder = [.. Enumerable.Repeat(slots, maxOrder - 1)],
                HeadsPerOrder = 8,
                PadId = 2,
            }
        );
}
