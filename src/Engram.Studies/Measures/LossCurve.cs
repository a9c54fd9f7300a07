using System.Globalization;

namespace Engram.Studies.Measures;

/// <summary>The validation losses of a run while it was trained.</summary>
internal static class LossCurve
{
    /// <summary>What the rows begin with; the number of updates follows.</summary>
    public const string Prefix = "curve_";

    /// <summary>The row that comes last: how many points there are.</summary>
    public const string Last = Prefix + "points";

    /// <summary>A row for each validation, and their number.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        // A run that was interrupted between a validation and its next checkpoint has validated there twice, to the same bits.
        var points = TrainingCurve.Read(run.Folder).Validation.DistinctBy(point => point.Step).ToList();
        return [.. points.Select(point => (Prefix + point.Step.ToString(CultureInfo.InvariantCulture), point.Loss)), (Last, points.Count)];
    }
}
