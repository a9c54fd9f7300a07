using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Engram.Tables.Formats;

namespace Engram.Tables.Training;

/// <summary>
/// Moments in bfloat16, the upper half of a float32: widened exactly, rounded to nearest, ties to even, at most to the largest finite one.
/// Vectors and scalars give the same bits.
/// </summary>
internal static class BFloat16
{
    // Half a unit of the last place kept, less one; the bit that decides a tie is added to it.
    private const uint AlmostHalf = 0x7FFF;

    private const uint Magnitude = 0x7FFFFFFF;
    private const uint Sign = 0x8000;
    private const uint Largest = 0x7F7F;

    public static float Widen(ushort value) => BFloat16Codec.ToSingle(value);

    public static ushort Round(float value) => BFloat16Codec.FromSingle(value);

    public static void Widen(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(destination));
        nuint i = 0,
            n = (nuint)source.Length,
            half = (nuint)Vector<uint>.Count;
        if (Vector.IsHardwareAccelerated)
            for (; i + 2 * half <= n; i += 2 * half)
            {
                Vector.Widen(Vector.LoadUnsafe(ref from, i), out var low, out var high);
                (low << 16).StoreUnsafe(ref to, i);
                (high << 16).StoreUnsafe(ref to, i + half);
            }
        for (; i < n; i++)
            Unsafe.Add(ref to, i) = (uint)Unsafe.Add(ref from, i) << 16;
    }

    public static void Round(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ref var from = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(source));
        ref var to = ref MemoryMarshal.GetReference(destination);
        nuint i = 0,
            n = (nuint)source.Length,
            half = (nuint)Vector<uint>.Count;
        if (Vector.IsHardwareAccelerated)
            for (; i + 2 * half <= n; i += 2 * half)
                Vector
                    .Narrow(Rounded(Vector.LoadUnsafe(ref from, i)), Rounded(Vector.LoadUnsafe(ref from, i + half)))
                    .StoreUnsafe(ref to, i);
        for (; i < n; i++)
            Unsafe.Add(ref to, i) = Round(source[(int)i]);

        static Vector<uint> Rounded(Vector<uint> bits)
        {
            var magnitude = bits & new Vector<uint>(Magnitude);
            var rounded = (magnitude + new Vector<uint>(AlmostHalf) + ((magnitude >>> 16) & Vector<uint>.One)) >>> 16;
            return ((bits >>> 16) & new Vector<uint>(Sign)) | Vector.Min(rounded, new Vector<uint>(Largest));
        }
    }
}
