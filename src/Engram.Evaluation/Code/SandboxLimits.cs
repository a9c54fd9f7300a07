namespace Engram.Evaluation.Code;

/// <summary>What a generated program may use.</summary>
public sealed record SandboxLimits
{
    /// <summary>Processor time of a process, in seconds.</summary>
    /// <value>3.</value>
    public int CpuSeconds { get; init; } = 3;

    /// <summary>Time from start to end, in seconds, for programs that wait.</summary>
    /// <value>30.</value>
    public int WallSeconds { get; init; } = 30;

    /// <summary>Address space of a process, in bytes.</summary>
    /// <value>256 MiB.</value>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>Processes and threads, the program itself counted.</summary>
    /// <value>1: none may be started.</value>
    public int Processes { get; init; } = 1;

    /// <summary>What the program may write to its output and its error stream together, in bytes.</summary>
    /// <value>1 MiB.</value>
    public int OutputBytes { get; init; } = 1 << 20;

    /// <summary>All files of the program together, and one of them, in bytes; they are kept in memory.</summary>
    /// <value>8 MiB.</value>
    public long FileBytes { get; init; } = 8L << 20;

    /// <summary>Open files, each of which may hold memory without a name beside the address space.</summary>
    /// <value>16.</value>
    public int OpenFiles { get; init; } = 16;
}
