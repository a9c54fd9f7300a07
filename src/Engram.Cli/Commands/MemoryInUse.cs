using Engram.Models.Memory;

namespace Engram.Cli.Commands;

/// <summary>The memory that a command reads: the model's own, none, or a control, which is made once and freed with this.</summary>
internal sealed class MemoryInUse : IDisposable
{
    private readonly MemoryBank? _control;

    public MemoryInUse(MemoryBank? own, MemoryUse use)
    {
        if (use != MemoryUse.On && own is null)
            throw new ArgumentException("The model has no memory to switch off, shuffle or randomise.");
        _control = own?.Ablation(use);
        Bank = use == MemoryUse.Off ? null : _control ?? own;
    }

    /// <summary>What is read; nothing if null.</summary>
    public MemoryBank? Bank { get; }

    public void Dispose() => _control?.Dispose();
}
