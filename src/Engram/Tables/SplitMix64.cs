namespace Engram.Tables;

/// <summary>
/// A random function of a seed and a counter (the finaliser of SplitMix64, Steele, Lea and Flood 2014): value number i is known without the
/// ones before it, so work that is split over threads gives the same bits as work that is not.
/// </summary>
internal readonly struct SplitMix64(ulong seed)
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    // Seeds that differ by little must not give streams that are shifts of each other.
    private readonly ulong _origin = Mix(seed ^ 0x6A09E667F3BCC909);

    /// <summary>Uniform 64-bit integer number <paramref name="counter"/>.</summary>
    public ulong At(ulong counter) => Mix(_origin + (counter + 1) * Gamma);

    /// <summary>Two independent standard normal numbers (Box and Muller 1958).</summary>
    public (double, double) NormalPairAt(ulong pair)
    {
        const double unit = 1.0 / (1L << 53);
        var radius = Math.Sqrt(-2 * Math.Log(((At(2 * pair) >> 11) + 1) * unit)); // the logarithm's argument is in (0, 1]
        var (sin, cos) = Math.SinCos(2 * Math.PI * unit * (At(2 * pair + 1) >> 11));
        return (radius * cos, radius * sin);
    }

    /// <summary>Uniform integer below a bound, biased by less than bound / 2^64.</summary>
    public long BelowAt(ulong counter, long bound) => (long)Math.BigMul(At(counter), (ulong)bound, out _);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
