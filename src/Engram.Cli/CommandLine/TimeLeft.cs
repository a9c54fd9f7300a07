using System.Diagnostics;

namespace Engram.Cli.CommandLine;

/// <summary>How long work still takes, in the words of every progress line.</summary>
internal static class TimeLeft
{
    /// <summary>Minutes and seconds, with hours where there are some.</summary>
    public static string Clock(TimeSpan time) => time.TotalHours >= 1 ? $"{(long)time.TotalHours}:{time:mm\\:ss}" : $"{time:m\\:ss}";

    /// <summary>The end of a line; nothing while nothing is known.</summary>
    public static string Of(TimeSpan? left) => left is { } time && time > TimeSpan.Zero ? $", about {Clock(time)} left" : "";

    /// <summary>The same for work of equal parts.</summary>
    /// <param name="start">The clock's stamp when it began.</param>
    /// <param name="done">Parts that are done.</param>
    /// <param name="total">Parts.</param>
    public static string Of(long start, long done, long total) =>
        done == 0 ? "" : Of(Stopwatch.GetElapsedTime(start) * (Math.Max(0, total - done) / (double)done));
}
