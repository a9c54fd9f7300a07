using System.Runtime.Intrinsics;
using CsCheck;
using Engram.Addressing;

namespace Engram.Tests.Addressing;

/// <summary>Runs in processes with narrower vectors and with none, too: <see cref="AddressingWidthTests"/>.</summary>
public unsafe class OrderHeadsTests
{
    private const long Largest = long.MaxValue;

    private static readonly Gen<long> VectorPrimes = Gen.Int[13, 30].SelectMany(bits => Gen.Long[1L << bits, 1L << (bits + 1)]);
    private static readonly Gen<long> AnyPrimes = Gen.Int[1, 61].SelectMany(bits => Gen.Long[1L << bits, 1L << (bits + 1)]);

    // Anything, the very largest, and next to a multiple of a modulus, where a wrong quotient shows.
    private static Gen<long> Mixes(long[] moduli) =>
        Gen.OneOf(
            Gen.Long[0, Largest],
            Gen.Long[Largest - 1000, Largest],
            Gen.Int[0, 62].SelectMany(bits => Gen.Long[0, Largest >> bits]),
            Gen.Select(Gen.Int[0, moduli.Length - 1], Gen.Long[0, Largest - 2], Gen.Int[-2, 2])
                .Select((head, near, away) => Math.Max(0, near - near % moduli[head] + away))
        );

    [Fact]
    public void The_processor_offers_the_vectors_that_the_test_is_meant_for()
    {
        var bits =
            Vector512.IsHardwareAccelerated ? "512"
            : Vector256.IsHardwareAccelerated ? "256"
            : Vector128.IsHardwareAccelerated ? "128"
            : "none";
        Assert.Equal(Environment.GetEnvironmentVariable(AddressingWidthTests.ExpectedBits) ?? bits, bits);
        (int Heads, int Lanes)[] expected = bits switch
        {
            "512" => [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (9, 8)],
            "256" => [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 4), (9, 4)],
            "128" => [(1, 1), (2, 2), (3, 2), (4, 2), (7, 2), (8, 2), (9, 2)],
            _ => [(1, 1), (2, 1), (3, 1), (4, 1), (7, 1), (8, 1), (9, 1)],
        };
        foreach (var (heads, lanes) in expected)
            Assert.Equal(lanes, Heads([.. Enumerable.Repeat(2_262_409L, heads)]).Lanes);
        Assert.Equal(1, Heads([.. Enumerable.Repeat(OrderHeads.SmallestVectorPrime - 1, 8)]).Lanes);
        Assert.Equal(1, Heads([.. Enumerable.Repeat(OrderHeads.SmallestVectorPrime, 7), OrderHeads.LargestVectorPrime + 1]).Lanes);
        Assert.Equal(
            Heads([.. Enumerable.Repeat(OrderHeads.SmallestVectorPrime, 8)]).Lanes,
            Heads([.. Enumerable.Repeat(OrderHeads.LargestVectorPrime, 8)]).Lanes
        );
    }

    /// <summary>Every number of heads around the vector lengths, moduli that vectors take.</summary>
    [Fact]
    public void Rows_are_offset_and_remainder() =>
        Gen.Int[1, 18]
            .SelectMany(heads => VectorPrimes.Array[heads])
            .SelectMany(moduli => Gen.Select(Gen.Const(moduli), Mixes(moduli).Array[1, 40]))
            .Sample(Check, iter: 5_000);

    [Fact]
    public void Moduli_of_any_size_take_a_path_that_is_exact() =>
        Gen.Int[1, 10]
            .SelectMany(heads => AnyPrimes.Array[heads])
            .SelectMany(moduli => Gen.Select(Gen.Const(moduli), Mixes(moduli).Array[1, 40]))
            .Sample(Check, iter: 3_000);

    [Fact]
    public void Extreme_mixes_hold_at_both_ends_of_the_vector_path()
    {
        long[] ends =
        [
            OrderHeads.SmallestVectorPrime,
            OrderHeads.SmallestVectorPrime + 1,
            8_209,
            2_262_409,
            16_000_057,
            OrderHeads.LargestVectorPrime - 1,
            OrderHeads.LargestVectorPrime,
        ];
        foreach (var modulus in ends)
        {
            var last = Largest - Largest % modulus;
            List<long> mixes = [0, 1, modulus - 1, modulus, modulus + 1, last - 1, last, Largest - 1, Largest];
            // Near multiples, and near halves between two, all the way up: the quotient's error is largest at the top.
            for (var bits = 14; bits < 63; bits++)
            for (var away = -2; away <= 2; away++)
            {
                var multiple = (1L << bits) - (1L << bits) % modulus;
                mixes.AddRange([multiple + away, multiple + modulus / 2 + away]);
            }
            for (var i = 1L; i < 500; i++)
                mixes.AddRange([last - i * modulus, last - i * modulus - 1, last - i * modulus - modulus / 2]);
            Check([.. Enumerable.Repeat(modulus, 9)], [.. mixes.Where(mix => mix >= 0)]);
        }
    }

    private static OrderHeads Heads(long[] moduli) => new([.. moduli], Offsets(moduli));

    private static long[] Offsets(long[] moduli) => [.. moduli.Select((_, head) => 1_000_000_000_000L * head + 7)];

    private static void Check(long[] moduli, long[] mixes)
    {
        var (heads, offsets, stride) = (Heads(moduli), Offsets(moduli), moduli.Length + 3);
        var capacity = TileMixes.Capacity(mixes.Length);
        var scratch = new ulong[(TileMixes.ScratchBytes(capacity, 2) + 7) / 8];
        var (fast, slow) = (new long[mixes.Length * stride], new long[mixes.Length * stride]);
        fixed (ulong* memory = scratch)
        fixed (
            long* fastRows = fast,
                slowRows = slow
        )
        {
            var tile = new TileMixes((byte*)memory, capacity, maxOrder: 2, padId: 0);
            for (var t = 0; t < mixes.Length; t++)
                (tile.Exact[t], tile.Rounded[t], tile.Low[t]) = ((ulong)mixes[t], mixes[t], (uint)mixes[t]);
            heads.Fill(tile, mixes.Length, fastRows, stride);
            heads.FillScalar(tile, mixes.Length, slowRows, stride);
        }
        for (var t = 0; t < mixes.Length; t++)
        for (var column = 0; column < stride; column++)
        {
            // What lies beside a token's heads belongs to others.
            var expected = column < moduli.Length ? (long)((UInt128)mixes[t] % (UInt128)moduli[column]) + offsets[column] : 0;
            if (fast[t * stride + column] != expected || slow[t * stride + column] != expected)
                Assert.Fail(
                    $"{mixes[t]} mod {moduli[column]}: row {expected}, vectors {fast[t * stride + column]}, scalar "
                        + $"{slow[t * stride + column]}."
                );
        }
    }
}
