namespace Engram.Tests.Tables.Cache;

/// <summary>Random rows of which the one on rank r is read in proportion to 1 / r.</summary>
internal static class Zipf
{
    public static long[] Rows(int seed, int distinct, int count)
    {
        var sums = new double[distinct];
        var sum = 0.0;
        for (var rank = 0; rank < distinct; rank++)
            sums[rank] = sum += 1.0 / (rank + 1);
        var random = new Random(seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => Array.BinarySearch(sums, random.NextDouble() * sum) is var at && at < 0 ? ~at : (long)at),
        ];
    }
}
