using Engram.Models.Memory;

namespace Engram.Evaluation.Scoring;

/// <summary>
/// The memories that prompts and answers are read with when a part is silenced in one or both; it frees what it has made.
/// </summary>
internal sealed class SilencedMemory : IDisposable
{
    private readonly MemoryBank? _silenced;

    /// <summary>Silences a part.</summary>
    /// <param name="memory">The memory; null adds nothing.</param>
    /// <param name="part">What is silenced of which tokens; null for nothing.</param>
    /// <param name="cancellation">Ends the making of mean rows.</param>
    /// <exception cref="ArgumentException">There is no memory, or no such part of it.</exception>
    public SilencedMemory(MemoryBank? memory, Suppression? part, CancellationToken cancellation)
    {
        if (part is not null)
            _silenced =
                memory?.Suppressed(part, cancellation)
                ?? throw new ArgumentException($"There is no memory of which {part} could be silenced.", nameof(memory));
        (Prompts, Answers) = part?.Tokens switch
        {
            null => (memory, memory),
            SuppressedTokens.Prompt => (_silenced, memory),
            SuppressedTokens.Answer => (memory, _silenced),
            _ => (_silenced, _silenced),
        };
    }

    /// <summary>What prompts are read with.</summary>
    public MemoryBank? Prompts { get; }

    /// <summary>What answers are read with.</summary>
    public MemoryBank? Answers { get; }

    /// <inheritdoc/>
    public void Dispose() => _silenced?.Dispose();
}
