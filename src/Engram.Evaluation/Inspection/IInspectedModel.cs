using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;

namespace Engram.Evaluation.Inspection;

// Shape letters: T tokens   E memory width   S streams that are fused   D hidden width (or H·v)

/// <summary>What one memory layer did with a text. Arrays are row-major.</summary>
/// <param name="Memory">Gathered rows side by side, [T, E].</param>
/// <param name="HiddenIn">What a read is fused with as it enters the layer, [T, S, D].</param>
/// <param name="Gate">Gate per stream, [T, S]; 1 without a gate, 0 at dead positions.</param>
/// <param name="Output">What was added, [T, S, D].</param>
public sealed record MemoryReading(float[] Memory, float[] HiddenIn, float[] Gate, float[] Output);

/// <summary>What an inspection asks of a model; the managed engine and the one on libtorch both answer.</summary>
public interface IInspectedModel
{
    /// <summary>What the model is.</summary>
    ModelConfiguration Configuration { get; }

    /// <summary>Text to token ids and back.</summary>
    Tokenizer Tokenizer { get; }

    /// <summary>Its memory, or null.</summary>
    MemoryBank? Memory { get; }

    /// <summary>Reads a text as one sequence; documents begin at its start tokens.</summary>
    /// <param name="ids">Token ids, [T].</param>
    /// <param name="memory">The memory to read: the model's own or a control.</param>
    /// <returns>What each memory layer did, in the order of <see cref="MemoryBank.LayerIds"/>.</returns>
    IReadOnlyList<MemoryReading> Read(int[] ids, MemoryBank memory);

    /// <summary>Reads a text as one sequence and says how likely it was found.</summary>
    /// <param name="ids">Token ids, [T], at least 2.</param>
    /// <param name="memory">The memory to read: the model's own or a control.</param>
    /// <param name="closedStream">A residual stream to which nothing is added, from 0; null for none.</param>
    /// <returns>−log p of every token after those before it, nats, [T − 1].</returns>
    float[] Losses(int[] ids, MemoryBank memory, int? closedStream);
}
