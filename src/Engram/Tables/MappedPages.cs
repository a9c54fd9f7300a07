using System.Buffers;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// Reads the pages of mapped rows from the device many at a time. A gather that met absent pages one by one would wait for each; told of
/// all of them first, sorted and each once, the system keeps the device's queue full.
/// </summary>
internal static unsafe class MappedPages
{
    // Rows looked at before the system is told of all: a batch whose sample is in memory costs nothing more. A look takes up to a
    // microsecond, so a decoded token has few, and a batch as many as the root of its rows: if so few pages are absent that none is seen,
    // waiting for them one by one takes about as long as telling the system of thousands of pages would.
    private const int LeastSample = 4;

    /// <summary>Starts reading the pages of rows, if a sample of them is not all in memory.</summary>
    /// <param name="stored">The table.</param>
    /// <param name="rows">Row numbers; negative ones are passed over.</param>
    /// <param name="tableRows">Rows from this number on are passed over.</param>
    /// <param name="residencyTold">Whether the system tells which pages are in memory; if not, all are asked for.</param>
    public static void StartReadingAbsent(in StoredRows stored, ReadOnlySpan<long> rows, long tableRows, bool residencyTold)
    {
        if (residencyTold && AllSampledResident(stored, rows, tableRows))
            return;
        var perRow = stored.ScaleBytes > 0 ? 2 : 1;
        var pages = ArrayPool<ulong>.Shared.Rent(rows.Length * perRow * 2);
        try
        {
            var count = 0;
            foreach (var row in rows)
            {
                if (row < 0 || row >= tableRows)
                    continue;
                AddPages(stored.ValuesOf(row), stored.ValueBytes, pages, ref count);
                if (stored.ScaleBytes > 0)
                    AddPages(stored.ScalesOf(row), stored.ScaleBytes, pages, ref count);
            }
            StartReading(pages.AsSpan(0, count));
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(pages);
        }
    }

    // A row may straddle two pages; wider ones than a page are left to the fault of their inner pages.
    private static void AddPages(byte* start, int bytes, ulong[] pages, ref int count)
    {
        var size = (ulong)VirtualMemory.PageSize;
        var (first, last) = ((ulong)start / size, ((ulong)start + (ulong)bytes - 1) / size);
        pages[count++] = first;
        if (last != first)
            pages[count++] = last;
    }

    private static void StartReading(Span<ulong> pages)
    {
        pages.Sort();
        var size = (ulong)VirtualMemory.PageSize;
        for (var i = 0; i < pages.Length; )
        {
            // Neighbouring pages are one request.
            var (first, last) = (pages[i], pages[i]);
            for (i++; i < pages.Length && pages[i] <= last + 1; i++)
                last = pages[i];
            VirtualMemory.StartReading((void*)(first * size), (long)((last - first + 1) * size));
        }
    }

    private static bool AllSampledResident(in StoredRows stored, ReadOnlySpan<long> rows, long tableRows)
    {
        var samples = SampleSize(rows.Length);
        for (var sample = 0; sample < samples; sample++)
        {
            var row = rows[SamplePosition(sample, samples, rows)];
            if (row < 0 || row >= tableRows)
                continue;
            // Values and scales lie in different pages; fewer pages hold all scales, so they are the likelier to be in memory.
            if (
                !VirtualMemory.IsResident(stored.ValuesOf(row))
                || (stored.ScaleBytes > 0 && sample % 4 == 0 && !VirtualMemory.IsResident(stored.ScalesOf(row)))
            )
                return false;
        }
        return true;
    }

    /// <summary>Rows of a batch that are looked at.</summary>
    internal static int SampleSize(int rows) => Math.Min(rows, Math.Max(LeastSample, (int)Math.Sqrt(rows)));

    /// <summary>
    /// Position of a sample within its share of the batch. Hashed, because rows come in an order: at equal distances all samples could be
    /// those of one head, whose n-grams may be the frequent ones that are always in memory.
    /// </summary>
    internal static int SamplePosition(int sample, int samples, ReadOnlySpan<long> rows)
    {
        var (from, to) = ((int)((long)rows.Length * sample / samples), (int)((long)rows.Length * (sample + 1) / samples));
        var hash = new SplitMix64((ulong)rows[from]).At((ulong)sample);
        return from + (int)(hash % (ulong)(to - from));
    }
}
