using System.Collections.Immutable;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Addressing;

/// <summary>
/// The K heads of one order in one layer: row = offset + mix mod prime for each head, several heads per vector.
/// <para>
/// The remainder without a division, for 2^13 ≤ p ≤ 2^31 and 0 ≤ mix &lt; 2^63. With v = mix / p ≤ 2^50, let x be the mix and y the
/// reciprocal 1 / p, both rounded to float64, and s = x·y + 2^52. The roundings of x, y and (where multiplication and addition are not
/// fused) of their product err by at most 2^-53 each, relative, so the product is off by less than 2^50 · 3.1 · 2^-53 &lt; 0.4. The sum
/// lies in [2^52, 2^53), where float64 counts in ones: it is rounded to an integer, off by at most 0.5 more, and its low mantissa bits are
/// that integer q. So |q − v| &lt; 0.9 and −p &lt; mix − q·p &lt; p, a number that 32 bits of each term decide, because 2p ≤ 2^32.
/// Negative, it is above 2^32 − p as an unsigned number, and adding p gives the remainder; otherwise it is the remainder, and adding p
/// makes it larger: the smaller of both is right in either case.
/// </para>
/// Each 64-bit lane carries its 32-bit numbers in the lower half and zeros in the upper one, where the prime is zero too; two vectors of
/// 256 bits are packed into one for them. Other primes take the scalar path.
/// </summary>
internal sealed unsafe class OrderHeads
{
    internal const long SmallestVectorPrime = 1L << 13;
    internal const long LargestVectorPrime = 1L << 31;

    private const double IntegerGrid = 1L << 52;

    private readonly int _heads;
    private readonly FastModulo[] _modulo;
    private readonly long[] _offsets;
    private readonly ulong[] _primes;
    private readonly double[] _reciprocals;

    /// <summary>Prepares K heads.</summary>
    /// <param name="primes">K moduli of 2 to 2^62.</param>
    /// <param name="offsets">K first rows.</param>
    public OrderHeads(ImmutableArray<long> primes, ReadOnlySpan<long> offsets)
    {
        _heads = primes.Length;
        _modulo = [.. primes.Select(prime => new FastModulo(prime))];
        _offsets = offsets.ToArray();
        _primes = [.. primes.Select(prime => (ulong)prime)];
        _reciprocals = [.. primes.Select(prime => 1.0 / prime)];
        if (primes.All(prime => prime is >= SmallestVectorPrime and <= LargestVectorPrime))
            Lanes =
                Vector512.IsHardwareAccelerated && _heads >= Vector512<long>.Count ? Vector512<long>.Count
                : Vector256.IsHardwareAccelerated && _heads >= Vector256<long>.Count ? Vector256<long>.Count
                : Vector128.IsHardwareAccelerated && _heads >= Vector128<long>.Count ? Vector128<long>.Count
                : 1;
    }

    /// <summary>Heads per vector: 8, 4 or 2, or 1 for the scalar path.</summary>
    internal int Lanes { get; } = 1;

    /// <summary>Rows of all heads for consecutive tokens.</summary>
    /// <param name="mixes">Of this order.</param>
    /// <param name="count">Tokens.</param>
    /// <param name="rows">Receives K rows for the first token.</param>
    /// <param name="stride">Rows from one token to the next.</param>
    public void Fill(in TileMixes mixes, int count, long* rows, int stride)
    {
        if (Lanes == 1)
        {
            FillScalar(mixes, count, rows, stride);
            return;
        }
        if (Avx2.IsSupported && Lanes == Vector256<long>.Count && _heads >= 2 * Lanes)
        {
            for (var head = 0; head < _heads; head += 2 * Lanes)
            {
                var first = Math.Min(head, _heads - 2 * Lanes);
                FillPairs256(mixes, count, first, rows + first, stride);
            }
            return;
        }
        for (var head = 0; ; head += Lanes)
        {
            // The last vector ends with the last head; what it shares with the one before is written twice, with the same rows.
            var first = Math.Min(head, _heads - Lanes);
            if (Vector512.IsHardwareAccelerated && Lanes == Vector512<long>.Count)
                Fill512(mixes, count, first, rows + first, stride);
            else if (Vector256.IsHardwareAccelerated && Lanes == Vector256<long>.Count)
                Fill256(mixes, count, first, rows + first, stride);
            else
                Fill128(mixes, count, first, rows + first, stride);
            if (first + Lanes == _heads)
                return;
        }
    }

    /// <summary>The twin of <see cref="Fill"/>, for any prime.</summary>
    internal void FillScalar(in TileMixes mixes, int count, long* rows, int stride)
    {
        for (var t = 0; t < count; t++, rows += stride)
        for (var head = 0; head < _heads; head++)
            rows[head] = _modulo[head].Of(mixes.Exact[t]) + _offsets[head];
    }

    private void Fill512(in TileMixes mixes, int count, int first, long* rows, nint stride)
    {
        var reciprocals = Vector512.Create(_reciprocals, first);
        var primes = Vector512.Create(_primes, first).AsUInt32();
        var offsets = Vector512.Create(_offsets, first);
        var rounded = mixes.Rounded;
        var low = mixes.Low;
        for (var t = 0; t < count; t++, rows += stride)
        {
            var quotients = Vector512
                .MultiplyAddEstimate(Vector512.Create(rounded[t]), reciprocals, Vector512.Create(IntegerGrid))
                .AsUInt32();
            var remainders = Vector512.Create(low[t]).AsUInt32() - quotients * primes;
            (Vector512.Min(remainders, remainders + primes).AsInt64() + offsets).Store(rows);
        }
    }

    private void Fill256(in TileMixes mixes, int count, int first, long* rows, nint stride)
    {
        var reciprocals = Vector256.Create(_reciprocals, first);
        var primes = Vector256.Create(_primes, first).AsUInt32();
        var offsets = Vector256.Create(_offsets, first);
        var rounded = mixes.Rounded;
        var low = mixes.Low;
        for (var t = 0; t < count; t++, rows += stride)
        {
            var quotients = Vector256
                .MultiplyAddEstimate(Vector256.Create(rounded[t]), reciprocals, Vector256.Create(IntegerGrid))
                .AsUInt32();
            var remainders = Vector256.Create(low[t]).AsUInt32() - quotients * primes;
            (Vector256.Min(remainders, remainders + primes).AsInt64() + offsets).Store(rows);
        }
    }

    // Eight heads: the quotients of two vectors fit into one, whose products and remainders then cost half.
    private void FillPairs256(in TileMixes mixes, int count, int first, long* rows, nint stride)
    {
        var (front, back) = (Vector256.Create(_reciprocals, first), Vector256.Create(_reciprocals, first + 4));
        var primes = Packed(Vector256.Create(_primes, first), Vector256.Create(_primes, first + 4));
        var (frontOffsets, backOffsets) = (Vector256.Create(_offsets, first), Vector256.Create(_offsets, first + 4));
        var grid = Vector256.Create(IntegerGrid);
        var rounded = mixes.Rounded;
        var low = mixes.Low;
        for (var t = 0; t < count; t++, rows += stride)
        {
            var mix = Vector256.Create(rounded[t]);
            var quotients = Packed(
                Vector256.MultiplyAddEstimate(mix, front, grid).AsUInt64(),
                Vector256.MultiplyAddEstimate(mix, back, grid).AsUInt64()
            );
            var remainders = Vector256.Create((uint)low[t]) - quotients * primes;
            remainders = Vector256.Min(remainders, remainders + primes);
            // Interleaving with zeros undoes the packing, for it works within the same halves.
            (Avx2.UnpackLow(remainders, Vector256<uint>.Zero).AsInt64() + frontOffsets).Store(rows);
            (Avx2.UnpackHigh(remainders, Vector256<uint>.Zero).AsInt64() + backOffsets).Store(rows + 4);
        }

        // The lower halves of eight lanes: within each half of the register, two of the first and two of the second.
        static Vector256<uint> Packed(Vector256<ulong> first, Vector256<ulong> second) =>
            Avx.Shuffle(first.AsSingle(), second.AsSingle(), 0b10_00_10_00).AsUInt32();
    }

    private void Fill128(in TileMixes mixes, int count, int first, long* rows, nint stride)
    {
        var reciprocals = Vector128.Create(_reciprocals, first);
        var primes = Vector128.Create(_primes, first).AsUInt32();
        var offsets = Vector128.Create(_offsets, first);
        var rounded = mixes.Rounded;
        var low = mixes.Low;
        for (var t = 0; t < count; t++, rows += stride)
        {
            var quotients = Vector128
                .MultiplyAddEstimate(Vector128.Create(rounded[t]), reciprocals, Vector128.Create(IntegerGrid))
                .AsUInt32();
            var remainders = Vector128.Create(low[t]).AsUInt32() - quotients * primes;
            (Vector128.Min(remainders, remainders + primes).AsInt64() + offsets).Store(rows);
        }
    }
}
