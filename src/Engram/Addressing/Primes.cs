using System.Numerics;

namespace Engram.Addressing;

/// <summary>Primality without chance.</summary>
internal static class Primes
{
    // Miller-Rabin with these bases errs for no 64-bit number (Sorenson and Webster, 2015).
    private static ReadOnlySpan<byte> Bases => [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];

    /// <summary>Whether a number is prime.</summary>
    public static bool IsPrime(ulong n)
    {
        if (n < 2)
            return false;
        foreach (var small in Bases)
            if (n % small == 0)
                return n == small;
        var twos = BitOperations.TrailingZeroCount(n - 1);
        foreach (var witness in Bases)
            if (ProvesComposite(witness, n, twos))
                return false;
        return true;
    }

    /// <summary>The smallest prime above a number that is not in a set.</summary>
    public static long NextUnused(long above, HashSet<long> used)
    {
        var candidate = above;
        do candidate = checked(candidate + 1);
        while (used.Contains(candidate) || !IsPrime((ulong)candidate));
        return candidate;
    }

    // n − 1 = odd · 2^twos
    private static bool ProvesComposite(ulong witness, ulong n, int twos)
    {
        var x = Power(witness, (n - 1) >> twos, n);
        if (x == 1 || x == n - 1)
            return false;
        for (var i = 1; i < twos; i++)
        {
            x = Multiply(x, x, n);
            if (x == n - 1)
                return false;
        }
        return true;
    }

    private static ulong Power(ulong value, ulong exponent, ulong modulus)
    {
        var result = 1UL;
        for (; exponent > 0; exponent >>= 1)
        {
            if ((exponent & 1) == 1)
                result = Multiply(result, value, modulus);
            value = Multiply(value, value, modulus);
        }
        return result;
    }

    private static ulong Multiply(ulong a, ulong b, ulong modulus) => (ulong)((UInt128)a * b % modulus);
}
