using CsCheck;
using Engram.Addressing;

namespace Engram.Tests.Addressing;

/// <summary>Runs in processes with narrower vectors and with none, too: <see cref="AddressingWidthTests"/>.</summary>
public unsafe class TileMixesTests
{
    private const int MaxOrder = 4;

    /// <summary>
    /// Tiles of every length around the vectors', cut out of a sequence, ids and multipliers as large as they may be: both twins against
    /// the definition.
    /// </summary>
    [Fact]
    public void Mixes_are_those_of_the_definition() =>
        Gen.Int[1, 70]
            .SelectMany(length =>
                Gen.Select(
                    Gen.Frequency((20, Gen.Int[0, (1 << 29) - 1]), (1, Gen.Const(-1))).Array[length],
                    Gen.Frequency((20, Gen.Const(false)), (1, Gen.Const(true))).Array[length],
                    Gen.Int[0, length],
                    Gen.Long[0, long.MaxValue >> 29].Array[MaxOrder]
                )
            )
            .Sample(
                (ids, starts, from, multipliers) =>
                {
                    const int Pad = 5;
                    var count = ids.Length - from;
                    var capacity = TileMixes.Capacity(count);
                    var (first, second) = (Scratch(capacity), Scratch(capacity));
                    fixed (
                        byte* a = first,
                            b = second
                    )
                    {
                        var vector = new TileMixes(a, capacity, MaxOrder, Pad);
                        var scalar = new TileMixes(b, capacity, MaxOrder, Pad);
                        var reach = 0;
                        for (var t = 0; t < from; t++)
                            reach = AddressWindow.NextReach(reach, ids[t], starts[t], MaxOrder);
                        var (one, two) = (reach, reach);
                        Assert.Equal(ids.AsSpan(from).Contains(-1), vector.Load(ids, starts, from, count, [], ref one));
                        scalar.Load(ids, starts, from, count, [], ref two);
                        Assert.Equal(one, two);
                        vector.Begin(count, multipliers[0]);
                        scalar.BeginScalar(count, multipliers[0]);
                        for (var back = 1; back < MaxOrder; back++)
                        {
                            vector.Extend(count, back, multipliers[back]);
                            scalar.ExtendScalar(count, back, multipliers[back]);
                            for (var t = 0; t < count; t++)
                            {
                                if (ids[from + t] < 0)
                                    continue;
                                var expected = Mix(ids, starts, from + t, back + 1, multipliers, Pad);
                                Assert.Equal(
                                    (expected, (double)(long)expected, expected & uint.MaxValue),
                                    (vector.Exact[t], vector.Rounded[t], vector.Low[t])
                                );
                                Assert.Equal(
                                    (expected, (double)(long)expected, expected & uint.MaxValue),
                                    (scalar.Exact[t], scalar.Rounded[t], scalar.Low[t])
                                );
                            }
                        }
                    }
                },
                iter: 2_000
            );

    private static byte[] Scratch(int capacity)
    {
        // Whatever lies in the memory must not matter.
        var scratch = new byte[TileMixes.ScratchBytes(capacity, MaxOrder)];
        new Random(capacity).NextBytes(scratch);
        return scratch;
    }

    private static ulong Mix(int[] ids, bool[] starts, int t, int order, long[] multipliers, int pad)
    {
        var (mix, ended) = (0L, false);
        for (var i = 0; i < order; i++)
        {
            ended = ended || t - i < 0 || ids[t - i] < 0 || (i > 0 && starts[t - i + 1]);
            mix ^= checked((ended ? pad : ids[t - i]) * multipliers[i]);
        }
        return (ulong)mix;
    }
}
