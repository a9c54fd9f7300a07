using Engram.Addressing;

namespace Engram.Models.Memory;

/// <summary>The n-gram windows of sequences that grow token by token: the rows are those of the whole sequences, however they are cut.</summary>
public sealed class MemoryWindows
{
    private readonly MemoryBank _bank;
    private readonly AddressWindow[] _windows;

    internal MemoryWindows(MemoryBank bank, AddressWindow[] windows) => (_bank, _windows) = (bank, windows);

    /// <summary>Rows of the next tokens of every sequence.</summary>
    /// <param name="tokenIds">Row-major [B, T].</param>
    /// <param name="documentStarts">True at the first token of each document; empty when none starts.</param>
    /// <param name="rows">Receives the rows.</param>
    public void Append(ReadOnlySpan<int> tokenIds, ReadOnlySpan<bool> documentStarts, MemoryRows rows) =>
        _bank.Append(_windows, tokenIds, documentStarts, rows);
}
