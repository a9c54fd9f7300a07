using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;

namespace Engram.Cli.Commands;

/// <summary>The file of <c>--samples</c>, and what is said of it.</summary>
internal static class EvalSamples
{
    /// <summary>Opens it and says what of it is no sample; null where there is none.</summary>
    public static SampleFile? Open(string? path, bool resume)
    {
        if (path is null)
            return null;
        var samples = SampleFile.Open(path, resume);
        if (samples.Damaged is [var line, ..])
            Terminal.Note(
                $"{path}: {(samples.Damaged.Count == 1 ? $"line {line} is no sample and is" : $"{samples.Damaged.Count:N0} lines are no samples, the first of them line {line}, and are")} passed over; what stood there is asked again."
            );
        return samples;
    }

    /// <summary>Says after the work how much of the file was of use.</summary>
    public static void NoteTaken(SampleFile? samples, string? path)
    {
        if (samples is { Found: > 0 })
            Terminal.Note(
                $"{samples.Taken:N0} of the {samples.Found:N0} samples in {path} were taken from it{(samples.Taken < samples.Found ? "; the others are of another model, memory, task or item" : "")}."
            );
    }
}
