using System.Diagnostics;
using Engram.Studies.Benchmarks;
using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Benchmarks;

/// <summary>
/// A batch's rows gathered address by address, against its distinct rows gathered once and copied to their places: in turns, the median of
/// each.
/// </summary>
internal static class DistinctComparison
{
    private const int Turns = 21;
    private const int Addresses = 1 << 16;
    private const int Width = 64;
    private const long Rows = 4_000_000;

    public static void Run(int threads)
    {
        Console.WriteLine($"{Addresses:N0} addresses into {Rows:N0} rows of {Width} values, {threads} threads; ns per address");
        Console.WriteLine($"{"format", -10} {"traffic", -14} {"distinct", 9} {"each", 7} {"once, found", 12} {"once, given", 12}");
        foreach (var format in (RowFormat[])[RowFormat.Float32, RowFormat.Int4()])
        {
            using var table = RandomTable.Filled(Rows, Width, format);
            Compare(
                "all distinct",
                Enumerable.Range(0, Addresses).Select(i => (long)((ulong)i * 0x9E3779B97F4A7C15 % (ulong)Rows)).Distinct().ToArray()
            );
            var random = new Random(1);
            // Log-uniform ranks: the traffic of n-grams, Zipf's law with exponent 1.
            Compare(
                "Zipf",
                Enumerable
                    .Range(0, Addresses)
                    .Select(_ => (long)((ulong)Math.Pow(Rows, random.NextDouble()) * 0x9E3779B97F4A7C15 % (ulong)Rows))
                    .ToArray()
            );

            void Compare(string traffic, long[] rows)
            {
                var unique = new UniqueRows();
                unique.Build(rows);
                var (target, few) = (new float[rows.Length * Width], new float[unique.Count * Width]);
                var times = Enumerable.Range(0, 3).Select(_ => new List<double>()).ToArray();
                for (var turn = 0; turn < Turns; turn++)
                {
                    Time(times[0], () => table.Gather(rows, target, threads));
                    Time(
                        times[1],
                        () =>
                        {
                            unique.Build(rows);
                            Once();
                        }
                    );
                    Time(times[2], Once);
                }
                var medians = times.Select(list => list.Order().ElementAt(Turns / 2) * 1e9 / rows.Length).ToArray();
                Console.WriteLine(
                    $"{format, -10} {traffic, -14} {unique.Count / (double)rows.Length, 9:P0} {medians[0], 7:F1} {medians[1], 12:F1} "
                        + $"{medians[2], 12:F1}"
                );

                void Once()
                {
                    table.Gather(unique.Rows, few, threads);
                    var inverse = unique.Inverse;
                    for (var i = 0; i < inverse.Length; i++)
                        few.AsSpan(inverse[i] * Width, Width).CopyTo(target.AsSpan(i * Width, Width));
                }
            }
        }

        static void Time(List<double> times, Action action)
        {
            var clock = Stopwatch.StartNew();
            action();
            times.Add(clock.Elapsed.TotalSeconds);
        }
    }
}
