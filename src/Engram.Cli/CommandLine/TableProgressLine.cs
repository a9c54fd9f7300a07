using System.Diagnostics;
using Engram.Tables;

namespace Engram.Cli.CommandLine;

/// <summary>How far a pass over tables is, and how long it still takes.</summary>
internal static class TableProgressLine
{
    /// <param name="verb">What is done to rows, for example <c>converting</c>.</param>
    public static ProgressLine<TableProgress> Show(string verb)
    {
        var start = Stopwatch.GetTimestamp();
        return new ProgressLine<TableProgress>(progress =>
        {
            var speed = progress.Rows / Stopwatch.GetElapsedTime(start).TotalSeconds;
            return $"{verb}: {progress.Rows:N0} of {progress.TotalRows:N0} rows, {speed:N0} a second"
                + TimeLeft.Of(start, progress.Rows, progress.TotalRows);
        });
    }
}
