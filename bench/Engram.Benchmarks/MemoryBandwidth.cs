using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Engram.Benchmarks;

/// <summary>How fast this machine reads memory that no cache holds: the limit that a model's weights arrive at.</summary>
internal static class MemoryBandwidth
{
    private const long Bytes = 512L << 20;
    private const int Rounds = 5;

    /// <summary>Bytes per second, the best of some rounds.</summary>
    /// <param name="threads">Threads that read, each a part of its own.</param>
    public static unsafe double Read(int threads)
    {
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 64);
        try
        {
            for (var done = 0L; done < Bytes; done += 1 << 30)
                new Span<byte>(memory + done, (int)Math.Min(1 << 30, Bytes - done)).Fill(1);
            var best = 0.0;
            for (var round = 0; round < Rounds; round++)
            {
                var clock = Stopwatch.StartNew();
                var others = Enumerable
                    .Range(1, threads - 1)
                    .Select(part => Task.Factory.StartNew(() => Sum((nint)memory, part, threads), TaskCreationOptions.LongRunning))
                    .ToArray();
                var sum = Sum((nint)memory, 0, threads) + others.Sum(other => other.Result);
                if (sum == 0)
                    throw new InvalidOperationException("Memory was not read.");
                best = Math.Max(best, Bytes / clock.Elapsed.TotalSeconds);
            }

            return best;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private static unsafe long Sum(nint address, int part, int parts)
    {
        var memory = (byte*)address;
        var width = Vector<long>.Count * sizeof(long);
        var share = Bytes / parts / 4096 * 4096;
        byte* from = memory + share * part,
            to = from + share;
        Vector<long> a = Vector<long>.Zero,
            b = a,
            c = a,
            d = a;
        for (; from + 4 * width <= to; from += 4 * width)
        {
            a += *(Vector<long>*)from;
            b += *(Vector<long>*)(from + width);
            c += *(Vector<long>*)(from + 2 * width);
            d += *(Vector<long>*)(from + 3 * width);
        }

        return Vector.Sum(a + b + c + d);
    }
}
