using System.Numerics;

namespace Engram.Addressing;

/// <summary>The 128-bit linear congruential generator with XSL-RR output, bit for bit numpy's <c>default_rng(seed)</c>.</summary>
internal struct Pcg64
{
    private static readonly UInt128 Multiplier = new(0x2360ED051FC65DA4, 0x4385DF649FCCF645);

    private UInt128 _state;
    private readonly UInt128 _increment;

    public Pcg64(UInt128 seed)
    {
        var (high, low, incrementHigh, incrementLow) = SeedSequence.Expand(seed);
        _increment = (new UInt128(incrementHigh, incrementLow) << 1) | UInt128.One;
        Step();
        _state += new UInt128(high, low);
        Step();
    }

    internal readonly (UInt128 State, UInt128 Increment) Internals => (_state, _increment);

    /// <summary>A uniform 64-bit integer.</summary>
    public ulong Next()
    {
        Step();
        return BitOperations.RotateRight((ulong)(_state >> 64) ^ (ulong)_state, (int)(_state >> 122));
    }

    /// <summary>A uniform integer below a bound, as numpy's <c>integers(0, bound, dtype=int64)</c> draws it (Lemire, 64 bits).</summary>
    /// <param name="bound">Above 2^32; numpy draws from 32 bits below that.</param>
    public ulong NextBelow(ulong bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(bound, 1UL << 32);
        var high = Math.BigMul(Next(), bound, out var low);
        if (low < bound)
            for (var threshold = (0 - bound) % bound; low < threshold; )
                high = Math.BigMul(Next(), bound, out low);
        return high;
    }

    private void Step() => _state = _state * Multiplier + _increment;
}
