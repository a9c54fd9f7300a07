using Engram.Addressing;

namespace Engram.Tests.Addressing;

/// <summary>Every stage of the generator against values of numpy's, and the multipliers of published configurations.</summary>
public class Pcg64Tests
{
    [Theory]
    [InlineData(10007, new uint[] { 0xf1a1018d, 0xa7c60c02, 0xfd15d50a, 0x03b81232 })]
    [InlineData(0, new uint[] { 0xfe40eb07, 0x4f363a36, 0x4eb2009d, 0xc89a7aa7 })]
    public void The_pool_is_numpys(long seed, uint[] expected)
    {
        var pool = new uint[4];
        SeedSequence.Fill((UInt128)seed, pool);
        Assert.Equal(expected, pool);
    }

    [Fact]
    public void Seed_words_state_and_stream_are_numpys()
    {
        Assert.Equal((0x77d32a348ad70d07UL, 0x993ed609b84a4fa5UL, 0xd5f972dec8698e49UL, 0x7d79ebaebcf148deUL), SeedSequence.Expand(10007));
        var generator = new Pcg64(10007);
        Assert.Equal(
            (new UInt128(0x3b34af7676e8ddd5, 0x556a026c98a77d27), new UInt128(0xabf2e5bd90d31c92, 0xfaf3d75d79e291bd)),
            generator.Internals
        );
        ulong[] expected = [0xd2c3f84026661e33, 0x0d4fb6969eb57435, 0x62e6e1c58c3bd72b, 0xcb7dd1a94ca96343];
        Assert.All(expected, next => Assert.Equal(next, generator.Next()));

        var zero = new Pcg64(0);
        Assert.Equal(11749869230777074271, zero.Next());
        Assert.Equal(4976686463289251617UL, zero.Next());
    }

    [Fact]
    public void A_bounded_draw_is_floor_of_the_product_and_rejects_the_biased_part()
    {
        // With a bound of 2^63 + 1 almost half of all draws are rejected; the replay takes 128-bit arithmetic and the definition of the
        // bias.
        const ulong bound = (1UL << 63) + 1;
        var generator = new Pcg64(5);
        var replay = new Pcg64(5);
        var rejected = 0;
        for (var i = 0; i < 200; i++)
        {
            UInt128 product;
            while ((ulong)(product = (UInt128)replay.Next() * bound) < (ulong)((UInt128.One << 64) % bound))
                rejected++;
            Assert.Equal((ulong)(product >> 64), generator.NextBelow(bound));
        }
        Assert.InRange(rejected, 100, 400);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Pcg64(0).NextBelow(1UL << 32));
    }

    [Theory]
    [InlineData(98_627, 1, new[] { 76993395940407, 4862694818241, 36129212583461, 74336168021201 })]
    [InlineData(98_627, 2, new[] { 76868182044803, 37272711521967, 22754161933167, 71761299653263 })]
    [InlineData(98_627, 14, new[] { 68036077441013, 51753666516433, 31067133107689, 83008754102935 })]
    [InlineData(98_627, 15, new[] { 29055444938695, 56284491166079, 54183298291715, 33095471667075 })]
    [InlineData(99_092, 1, new[] { 76632096046245, 4839876093313, 35959672319349, 73987337458391 })]
    [InlineData(99_092, 14, new[] { 67716810739261, 51510806800915, 30921347202721, 82619226485591 })]
    public void Multipliers_are_the_published_ones_for_any_order(int vocabulary, int layer, long[] expected)
    {
        for (var order = 2; order <= 4; order++)
        {
            var constants = AddressingConstants.Derive(
                new AddressingSpec
                {
                    CompressedVocabularySize = vocabulary,
                    Layers = [layer],
                    SlotsPerOrder = [.. Enumerable.Repeat(100L, order - 1)],
                    HeadsPerOrder = 1,
                    PadId = 2,
                }
            );
            Assert.Equal(expected[..order], constants.Layers[0].Multipliers);
        }
    }

    [Fact]
    public void No_product_leaves_63_bits_for_any_vocabulary()
    {
        int[] sizes = [1, 2, 3, 4, 5, 311, 98_627, 99_092, 128_815, 1 << 20, (1 << 29) - 1, 1 << 29];
        var random = new Random(1);
        foreach (var size in sizes.Concat(Enumerable.Range(0, 100_000).Select(_ => random.Next(1, (1 << 29) + 1))))
        {
            var bound = (ulong)AddressingConstants.MaxMultiplier(size) / 2;
            Assert.True(bound > 1UL << 32, "the generator draws from 64 bits");
            var largest = 2 * (UInt128)(bound - 1) + 1;
            Assert.True(largest * (UInt128)(size - 1) < UInt128.One << 63);
            Assert.True(largest <= (UInt128)AddressingConstants.MaxMultiplier(size));
        }
    }
}
