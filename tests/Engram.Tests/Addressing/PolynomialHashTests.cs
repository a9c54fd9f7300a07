using System.Numerics;
using Engram.Addressing;

namespace Engram.Tests.Addressing;

/// <summary>The codes of OverEncoding: numbers in base V, modulo m + 2j in the j-th segment.</summary>
public class PolynomialHashTests
{
    /// <summary>
    /// V = 129280, current token 5, before it 7, before that 11: bigram code 5 + 7·V = 904965, trigram code 904965 + 11·V² = 183847407365.
    /// </summary>
    [Fact]
    public void Codes_computed_by_hand()
    {
        var bigrams = Of(129_280, 1, 2, [12_800_000]);
        Assert.Equal([904_965L], bigrams([11, 7, 5])[2]);
        var trigrams = Of(129_280, 4, 3, [12_800_000]);
        Assert.Equal([1_007_365L, 978_639, 949_913, 921_187], trigrams([11, 7, 5])[2]);
        // Both orders of one model: tables 0 to 3 and 4 to 7, moduli m, m + 2, … m + 14, as 183847407365 mod each.
        var both = Of(129_280, 4, 2, [12_800_000, 12_800_000]);
        Assert.Equal(
            [904_965L, 904_965, 904_965, 904_965, .. Enumerable.Range(4, 4).Select(j => 183_847_407_365L % (12_800_000 + 2 * j))],
            both([11, 7, 5])[2]
        );
    }

    [Fact]
    public void Ids_that_are_missing_count_as_zero()
    {
        var rows = Of(1000, 1, 2, [99_991, 999_999_937])([5, 7]);
        Assert.Equal([5L, 5], rows[0]);
        Assert.Equal([7L + 5000, 7 + 5000], rows[1]);
        // A document that begins at the second token hides the first.
        Assert.Equal([7L, 7], Of(1000, 1, 2, [99_991, 999_999_937], starts: [true, true])([5, 7])[1]);
    }

    /// <summary>Four ids of 129,280 do not fit 64 bits; the remainders are those of arbitrarily large integers.</summary>
    [Fact]
    public void Remainders_are_those_of_large_integers()
    {
        var (vocabulary, slots) = (129_280, 7_239_680L);
        var random = new Random(3);
        int[] ids = [.. Enumerable.Range(0, 300).Select(_ => random.Next(vocabulary))];
        var rows = Of(vocabulary, 3, 2, [slots + 1, slots + 3, slots + 5])(ids);
        for (var t = 0; t < ids.Length; t++)
        for (var column = 0; column < 9; column++)
        {
            var order = 2 + (column / 3);
            var code = BigInteger.Zero;
            for (var i = 0; i < order; i++)
                code += (t - i < 0 ? 0 : ids[t - i]) * BigInteger.Pow(vocabulary, i);
            Assert.Equal(code % (slots + (2 * (column / 3)) + 1 + (2 * column)), rows[t][column]);
        }
    }

    [Fact]
    public void One_row_and_dead_positions_are_those_of_every_memory()
    {
        var constants = AddressingConstants.Derive(Spec(50, 2, 2, [101]));
        var rows = new long[3 * 2];
        new NgramAddresser(constants, oneRow: true).Address([4, -1, 9], [], 0, rows);
        Assert.Equal([0L, 1, -1, -1, 0, 1], rows);
    }

    [Theory]
    [InlineData(100, 300, "300 slots are a multiple of the 100 ids")]
    [InlineData(1 << 29, 1L << 40, "leave 63 bits")]
    public void What_cannot_be_addressed_is_refused(int vocabulary, long slots, string expected) =>
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => Spec(vocabulary, 1, 2, [slots]).Validated()).Message);

    /// <summary>Residues [T][H] of a sequence.</summary>
    private static Func<int[], long[][]> Of(int vocabulary, int heads, int minOrder, long[] slots, bool[]? starts = null) =>
        ids =>
        {
            var addresser = new NgramAddresser(AddressingConstants.Derive(Spec(vocabulary, heads, minOrder, slots)));
            var residues = new long[ids.Length * addresser.Columns];
            addresser.Residues(ids, starts ?? [], 0, residues);
            return [.. residues.Chunk(addresser.Columns)];
        };

    private static AddressingSpec Spec(int vocabulary, int heads, int minOrder, long[] slots) =>
        new()
        {
            CompressedVocabularySize = vocabulary,
            Layers = [0],
            SlotsPerOrder = [.. slots],
            HeadsPerOrder = heads,
            PadId = 0,
            MinOrder = minOrder,
            Hash = HashScheme.Polynomial,
        };
}
