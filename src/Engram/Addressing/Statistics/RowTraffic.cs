namespace Engram.Addressing.Statistics;

/// <summary>
/// How the look-ups of a table are spread over its rows: for every number of reads, how many rows have it. That is all there is to know
/// about traffic by rank, and short: rows whose numbers of reads differ add up, so there are at most √(2·look-ups) different ones.
/// </summary>
public sealed class RowTraffic
{
    // Ranks whose rows have fewer reads form steps, not a line.
    private const int MinReadsOfFit = 10;
    private const double FitPointsPerDecade = 8;
    private const int Halvings = 200;

    private readonly long[] _reads; // descending
    private readonly long[] _rows;
    private readonly long[] _rowsBefore;
    private readonly long[] _readsBefore;

    /// <summary>Takes over a histogram.</summary>
    /// <param name="rowsByReads">Rows for each number of reads; both at least 1.</param>
    internal RowTraffic(IReadOnlyDictionary<long, long> rowsByReads)
    {
        _reads = [.. rowsByReads.Keys.OrderDescending()];
        _rows = [.. _reads.Select(reads => rowsByReads[reads])];
        (_rowsBefore, _readsBefore) = (new long[_reads.Length], new long[_reads.Length]);
        for (var i = 0; i < _reads.Length; i++)
        {
            (_rowsBefore[i], _readsBefore[i]) = (RowsTouched, Lookups);
            RowsTouched += _rows[i];
            Lookups += _rows[i] * _reads[i];
        }
    }

    /// <summary>Look-ups in the table, by all heads.</summary>
    public long Lookups { get; }

    /// <summary>Rows that are read at least once.</summary>
    public long RowsTouched { get; }

    /// <summary>Reads of the row that is on a rank, 1 the most read one; 0 beyond the touched rows.</summary>
    /// <param name="rank">From 1.</param>
    public long ReadsAtRank(long rank)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        return rank > RowsTouched ? 0 : _reads[EntryAt(rank - 1)];
    }

    /// <summary>
    /// Share of the look-ups that go to the most read rows: also the hit rate of a cache that holds exactly these rows all the time, the
    /// best of all fixed choices.
    /// </summary>
    /// <param name="rows">How many rows, from 0.</param>
    public double TopShare(long rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        if (rows >= RowsTouched)
            return 1;
        var entry = EntryAt(rows);
        return (double)(_readsBefore[entry] + (rows - _rowsBefore[entry]) * _reads[entry]) / Lookups;
    }

    /// <summary>
    /// Predicted hit rate of a cache that evicts the least recently used row, in steady state, by Che's approximation (Che, Tung, Wang
    /// 2002): look-ups are independent draws, and a row stays for the characteristic time T for which Σ 1 − e^(−rᵢT) over the rows equals
    /// the cache's size; the rate is then Σ rᵢ(1 − e^(−rᵢT)) / Σ rᵢ. The first read of a row is no miss here; <see cref="FirstReadShare"/>
    /// says what that leaves out. Text repeats itself nearby, so a measured rate is usually higher.
    /// </summary>
    /// <param name="rows">Rows that the cache holds, from 0.</param>
    public double LruHitRate(long rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        if (rows == 0)
            return 0;
        if (rows >= RowsTouched)
            return 1;
        // T lies between that of a cache whose rows all have the most reads and a time after which even a row of one read is surely there.
        var (low, high) = (0.0, 64.0 + Math.Log(RowsTouched));
        for (var i = 0; i < Halvings && low < high; i++)
        {
            var middle = (low + high) / 2;
            if (middle == low || middle == high)
                break;
            if (Sum(middle, weighted: false) < rows)
                low = middle;
            else
                high = middle;
        }
        return Sum(high, weighted: true) / Lookups;
    }

    /// <summary>
    /// Share of the look-ups that read their row for the first time in the corpus: misses of any cache that starts empty.
    /// </summary>
    public double FirstReadShare => (double)RowsTouched / Lookups;

    /// <summary>
    /// Exponent s of Zipf's law, reads ∝ rank^(−s): the slope of a least-squares line through log reads over log rank, at ranks spaced
    /// evenly in the logarithm, as far as rows have 10 reads. Null where there are fewer than three such ranks.
    /// </summary>
    public double? ZipfExponent
    {
        get
        {
            var ranks = LogSpaced(RowsTouched, FitPointsPerDecade).TakeWhile(rank => ReadsAtRank(rank) >= MinReadsOfFit).ToList();
            if (ranks.Count < 3)
                return null;
            var (x, y) = (ranks.ConvertAll(rank => Math.Log(rank)), ranks.ConvertAll(rank => Math.Log(ReadsAtRank(rank))));
            var (meanX, meanY) = (x.Average(), y.Average());
            return -x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / x.Sum(a => (a - meanX) * (a - meanX));
        }
    }

    /// <summary>
    /// 1 and further whole numbers up to a last one, spaced evenly in the logarithm, the last one included: ranks or cache sizes for a
    /// plot.
    /// </summary>
    /// <param name="last">At least 1.</param>
    /// <param name="perDecade">How many per factor of ten, more than 0; where numbers are small, each appears once.</param>
    public static IReadOnlyList<long> LogSpaced(long last, double perDecade)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(last, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(perDecade, 0);
        var numbers = new List<long>();
        for (var i = 0; Math.Pow(10, i / perDecade) is var value && value < last; i++)
            if ((long)Math.Round(value) is var number && number < last && (numbers.Count == 0 || number > numbers[^1]))
                numbers.Add(number);
        numbers.Add(last);
        return numbers;
    }

    /// <summary>The entry that holds the row with so many rows before it.</summary>
    private int EntryAt(long rowsBefore)
    {
        var found = Array.BinarySearch(_rowsBefore, rowsBefore);
        return found >= 0 ? found : ~found - 1;
    }

    private double Sum(double time, bool weighted)
    {
        var sum = 0.0;
        for (var i = 0; i < _reads.Length; i++)
            sum += (weighted ? (double)_rows[i] * _reads[i] : _rows[i]) * (1 - Math.Exp(-_reads[i] * time));
        return sum;
    }
}
