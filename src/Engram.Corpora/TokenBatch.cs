namespace Engram.Corpora;

/// <summary>
/// Sequences of consecutive token ids with the ids that follow them. Filled again and again; the arrays stay the same objects. All arrays
/// are row-major [<see cref="Sequences"/>, <see cref="Length"/>].
/// </summary>
public sealed class TokenBatch
{
    private readonly int[] _block;

    /// <summary>Allocates an empty batch.</summary>
    /// <param name="sequences">B, at least 1.</param>
    /// <param name="length">T, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Below 1, or more than 2³¹ − 1 ids together.</exception>
    public TokenBatch(int sequences, int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)sequences * length, Array.MaxLength, nameof(length));
        Sequences = sequences;
        Length = length;
        Inputs = new int[sequences * length];
        Targets = new int[sequences * length];
        DocumentStarts = new bool[sequences * length];
        _block = new int[length + 1];
    }

    /// <summary>B: sequences in the batch.</summary>
    public int Sequences { get; }

    /// <summary>T: ids per sequence.</summary>
    public int Length { get; }

    /// <summary>Token ids that the model reads.</summary>
    public int[] Inputs { get; }

    /// <summary>Token ids that it is to predict: the id after each input.</summary>
    public int[] Targets { get; }

    /// <summary>True where an n-gram window must not reach further back: at the first id of each sequence and of each document.</summary>
    public bool[] DocumentStarts { get; }

    /// <summary>
    /// UTF-8 bytes that the targets stand for; end-of-text and other special tokens stand for none. Loss in bits divided by this is bits
    /// per byte.
    /// </summary>
    public long TargetBytes { get; private set; }

    /// <summary>Forgets the bytes of the sequences before.</summary>
    internal void Clear() => TargetBytes = 0;

    /// <summary>Reads one row.</summary>
    /// <param name="row">From 0.</param>
    /// <param name="stream">Where from.</param>
    /// <param name="start">Index of the first input; T + 1 ids from there on are read.</param>
    /// <param name="tokenBytes">UTF-8 bytes of each token id.</param>
    internal void Read(int row, TokenStream stream, long start, ReadOnlySpan<int> tokenBytes)
    {
        stream.CopyTo(start, _block);
        stream.CopyDocumentStartsTo(start, DocumentStarts.AsSpan(row * Length, Length));
        Fill(row, _block, tokenBytes);
    }

    /// <summary>Takes a row from memory.</summary>
    /// <param name="row">From 0.</param>
    /// <param name="block">T + 1 ids.</param>
    /// <param name="documentStarts">Whether a document starts at each of the first T.</param>
    /// <param name="tokenBytes">UTF-8 bytes of each token id.</param>
    internal void Read(int row, ReadOnlySpan<int> block, ReadOnlySpan<bool> documentStarts, ReadOnlySpan<int> tokenBytes)
    {
        documentStarts.CopyTo(DocumentStarts.AsSpan(row * Length, Length));
        Fill(row, block, tokenBytes);
    }

    private void Fill(int row, ReadOnlySpan<int> block, ReadOnlySpan<int> tokenBytes)
    {
        var offset = row * Length;
        block[..Length].CopyTo(Inputs.AsSpan(offset, Length));
        block[1..].CopyTo(Targets.AsSpan(offset, Length));
        DocumentStarts[offset] = true;
        foreach (var target in block[1..])
            TargetBytes += tokenBytes[target];
    }
}
