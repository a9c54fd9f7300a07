using Engram.Cli.CommandLine;
using Engram.Models.Memory;

namespace Engram.Cli.Commands;

/// <summary>
/// The memory that a command reads: the model's own, none, a control, or one with a part silenced; what is made for it is freed with this.
/// </summary>
internal sealed class MemoryInUse : IDisposable
{
    private readonly MemoryBank? _control;
    private readonly MemoryBank? _silenced;

    public MemoryInUse(MemoryBank? own, MemoryUse use, Suppression? suppression = null, int? seed = null)
    {
        if ((use != MemoryUse.On || suppression is not null) && own is null)
            throw new UsageException(
                "The model has no memory (its config.json has no engram_* keys), so that none can be off, exchanged or silenced."
            );
        _control = own?.Ablation(use, seed ?? MemoryBank.ControlSeed);
        Bank = use == MemoryUse.Off ? null : _control ?? own;
        if (suppression is null)
            return;
        try
        {
            Bank = _silenced =
                UsageException.Of(() => Bank?.Suppressed(suppression))
                ?? throw new UsageException("A memory that is off has no part to silence.");
        }
        catch
        {
            _control?.Dispose();
            throw;
        }
    }

    /// <summary>What is read; nothing if null.</summary>
    public MemoryBank? Bank { get; }

    public void Dispose()
    {
        _silenced?.Dispose();
        _control?.Dispose();
    }
}
