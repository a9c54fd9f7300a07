namespace Engram.Evaluation.LongPpl;

/// <summary>Where key intervals lie that were found elsewhere, perhaps in another text.</summary>
/// <param name="Intervals">How many there are.</param>
/// <param name="BehindCut">Those that reach over the end of what a model reads, but not of the text.</param>
/// <param name="OutsideText">Those that reach over the end of the text.</param>
public readonly record struct IntervalPlaces(int Intervals, int BehindCut, int OutsideText)
{
    /// <summary>Those that count.</summary>
    public int Inside => Intervals - BehindCut - OutsideText;

    /// <summary>The places of intervals in a text of which a model reads the beginning.</summary>
    /// <param name="intervals">Key intervals.</param>
    /// <param name="text">The text.</param>
    /// <param name="cut">Its beginning (<see cref="LongPerplexity.Cut"/>).</param>
    public static IntervalPlaces Of(IReadOnlyList<TextInterval> intervals, string text, string cut)
    {
        ArgumentNullException.ThrowIfNull(intervals);
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(cut);
        var (all, read) = (text.EnumerateRunes().Count(), cut.EnumerateRunes().Count());
        var outside = intervals.Count(interval => interval.End > all);
        return new IntervalPlaces(intervals.Count, intervals.Count(interval => interval.End > read) - outside, outside);
    }
}
