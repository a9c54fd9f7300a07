using System.Numerics;
using System.Runtime.CompilerServices;

namespace Engram.Addressing;

/// <summary>
/// n mod d for a fixed d without a division: the quotient is the upper half of one 64 × 64-bit product, shifted. Exact for every
/// 0 ≤ n &lt; 2^63 and 2 ≤ d ≤ 2^62: with ℓ = ⌈log₂ d⌉ and reciprocal m = ⌈2^(63+ℓ) / d⌉, 0 ≤ m·d − 2^(63+ℓ) &lt; d ≤ 2^ℓ, which is
/// Granlund and Montgomery's condition (1994, theorem 4.2) for 63-bit numerators; and 2^(ℓ−1) &lt; d, so m fits 64 bits.
/// </summary>
internal readonly struct FastModulo
{
    private readonly ulong _reciprocal;
    private readonly ulong _divisor;
    private readonly int _shift;

    public FastModulo(long divisor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(divisor, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(divisor, 1L << 62);
        _divisor = (ulong)divisor;
        _shift = 63 - BitOperations.LeadingZeroCount(_divisor - 1); // ℓ − 1
        _reciprocal = (ulong)(((UInt128.One << (64 + _shift)) + _divisor - 1) / _divisor);
    }

    /// <summary>n mod d.</summary>
    /// <param name="n">Not negative as a signed number.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Of(ulong n) => (long)(n - (Math.BigMul(n, _reciprocal, out _) >> _shift) * _divisor);
}
