using System.Numerics;
using System.Runtime.InteropServices;

namespace Engram.Corpora;

/// <summary>
/// MinHash signatures (Broder 1997) over shingles of three consecutive words. The share of equal entries of two signatures estimates the
/// Jaccard similarity
/// |A ∩ B| / |A ∪ B| of the shingle sets, with a standard error of √(J(1−J)/<see cref="Length"/>), 0.035 at 0.81.
/// A word is a run of letters, regardless of case. A text of fewer than three words is one shingle.
/// </summary>
internal static class MinHash
{
    internal const int Length = 128;

    // h_i(x) = (x xor A_i) · B_i mod 2^32 with odd B_i: cheap, the same at every vector width, and random enough for the well-mixed x
    // below.
    private static readonly uint[] A = Constants(1, orWith: 0);
    private static readonly uint[] B = Constants(2, orWith: 1);

    /// <summary>Hashes of the shingles of a text, possibly with repetitions. Empty if the text has no letter.</summary>
    internal static void Shingles(ReadOnlySpan<char> text, List<uint> shingles)
    {
        shingles.Clear();
        ulong first = 0,
            second = 0,
            word = StableHash.Start;
        var (words, inWord) = (0, false);
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && char.IsLetter(text[i]))
            {
                word = StableHash.Append(word, char.ToLowerInvariant(text[i]));
                inWord = true;
            }
            else if (inWord)
            {
                if (++words >= 3)
                    shingles.Add(Combine(first, second, word));
                (first, second, word, inWord) = (second, word, StableHash.Start, false);
            }
        }
        if (words is 1 or 2)
            shingles.Add(Combine(first, second, 0));
    }

    /// <summary>signature[i] = smallest h_i over all shingles.</summary>
    /// <param name="shingles">At least one.</param>
    /// <param name="signature"><see cref="Length"/> values.</param>
    internal static void Sign(List<uint> shingles, Span<uint> signature)
    {
        signature.Fill(uint.MaxValue);
        var minimum = MemoryMarshal.Cast<uint, Vector<uint>>(signature);
        var a = MemoryMarshal.Cast<uint, Vector<uint>>(A);
        var b = MemoryMarshal.Cast<uint, Vector<uint>>(B);
        foreach (var shingle in shingles)
        {
            var x = new Vector<uint>(shingle);
            for (var i = 0; i < minimum.Length; i++)
                minimum[i] = Vector.Min(minimum[i], (x ^ a[i]) * b[i]);
        }
    }

    /// <summary>Equal entries of two signatures.</summary>
    internal static int Matches(ReadOnlySpan<uint> left, ReadOnlySpan<uint> right)
    {
        var x = MemoryMarshal.Cast<uint, Vector<uint>>(left);
        var y = MemoryMarshal.Cast<uint, Vector<uint>>(right);
        var count = Vector<uint>.Zero;
        for (var i = 0; i < x.Length; i++)
            count -= Vector.Equals(x[i], y[i]); // all bits set is −1
        return (int)Vector.Sum(count);
    }

    private static uint Combine(ulong first, ulong second, ulong third) =>
        (uint)(StableHash.Mix(StableHash.Mix(StableHash.Mix(first) ^ second) ^ third) >> 32);

    private static uint[] Constants(ulong stream, uint orWith)
    {
        var constants = new uint[Length];
        for (var i = 0; i < Length; i++)
            constants[i] = (uint)(StableHash.Mix((stream << 32) + (ulong)i) >> 32) | orWith;
        return constants;
    }
}
