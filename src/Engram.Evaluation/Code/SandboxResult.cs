namespace Engram.Evaluation.Code;

/// <summary>How a program ended.</summary>
public enum SandboxOutcome
{
    /// <summary>It ran to its last line.</summary>
    Completed,

    /// <summary>An error ended it, or it ended itself before its last line.</summary>
    Failed,

    /// <summary>It used up its time.</summary>
    TimeLimit,

    /// <summary>It asked for more memory than it may have.</summary>
    MemoryLimit,

    /// <summary>It wrote more than it may.</summary>
    OutputLimit,
}

/// <summary>What came of a program.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Message">One line for people: nothing more than "completed", or what ended it.</param>
/// <param name="Output">What it wrote to its output, as far as the limit goes.</param>
public sealed record SandboxResult(SandboxOutcome Outcome, string Message, string Output)
{
    /// <summary>Whether it ran to its last line.</summary>
    public bool Passed => Outcome == SandboxOutcome.Completed;
}
