namespace Engram.Addressing.Statistics;

/// <summary>
/// What the n-grams of a corpus do to the rows of a memory. Every number is exact; expected values are those of a hash that sends each
/// n-gram to a row at random.
/// </summary>
/// <param name="Positions">Live positions of the corpus; each looks up one row per head in every layer.</param>
/// <param name="Orders">N-grams of the orders 2 … N, which do not depend on the layer.</param>
/// <param name="Layers">What they do to each layer's table.</param>
public sealed record AddressingStatistics(long Positions, IReadOnlyList<OrderStatistics> Orders, IReadOnlyList<LayerStatistics> Layers);

/// <summary>
/// The n-grams of one order. An n-gram is the n canonical ids of a window as the addressing forms it: ids before the start of the document
/// are the pad id, so the first token of every document gives the n-gram of n − 1 pads and itself.
/// </summary>
/// <param name="Order">n, from 2.</param>
/// <param name="DistinctNgrams">Different n-grams seen.</param>
/// <param name="NgramsSeenOnce">Those of them that occur at a single position.</param>
/// <param name="Positions">Positions, each of which has one n-gram of this order.</param>
public sealed record OrderStatistics(int Order, long DistinctNgrams, long NgramsSeenOnce, long Positions);

/// <summary>One layer's table.</summary>
/// <param name="Layer">0-based index of the block.</param>
/// <param name="Rows">Rows R of the table.</param>
/// <param name="Heads">One entry per order and head, order-major, as are the columns of the table.</param>
/// <param name="Orders">N-grams that no head tells apart, per order.</param>
/// <param name="Traffic">How the look-ups of all heads are spread over the rows.</param>
public sealed record LayerStatistics(
    int Layer,
    long Rows,
    IReadOnlyList<HeadStatistics> Heads,
    IReadOnlyList<OrderCollisions> Orders,
    RowTraffic Traffic
)
{
    /// <summary>Share of the table's rows that the corpus reads at all.</summary>
    public double TouchedShare => (double)Traffic.RowsTouched / Rows;
}

/// <summary>
/// Distinct n-grams of one order that no head of a layer tells apart: each has the rows of another one in all K heads. Usually only equal
/// mixes do.
/// </summary>
/// <param name="Order">n, from 2.</param>
/// <param name="DistinctNgrams">Different n-grams seen.</param>
/// <param name="EqualInAllHeads">Those of them that share every row with one and the same other n-gram.</param>
public sealed record OrderCollisions(int Order, long DistinctNgrams, long EqualInAllHeads)
{
    /// <summary>Share of the distinct n-grams.</summary>
    public double Rate => (double)EqualInAllHeads / DistinctNgrams;
}
