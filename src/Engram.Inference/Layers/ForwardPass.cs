using Engram.Inference.Sequences;
using Engram.Inference.Kernels;
using Engram.Models.Memory;
using Engram.Models.Sequences;

namespace Engram.Inference.Layers;

// Shape letters: N rows (one per new token)   n streams   D hidden width   C coefficients   E memory width

/// <summary>
/// The new tokens of some sequences on their way through the layers, and all room that the layers need for them. Reused from pass to pass, so that a token allocates nothing.
/// Rows of a sequence are consecutive and in order.
/// </summary>
internal sealed unsafe class ForwardPass
{
    private Sequence[] _sequences = [];
    private int[] _positions = [];
    private int[] _ages = [];
    private int[] _firstVisible = [];
    private int[] _lengths = [];
    private int[] _ids = [];

    /// <summary>N.</summary>
    public int Rows { get; private set; }

    /// <summary>Residual streams [N, n, D].</summary>
    public FloatBuffer Streams { get; } = new();

    /// <summary>What a sub-layer reads [N, D].</summary>
    public FloatBuffer Input { get; } = new();

    /// <summary>The same, normalised [N, D].</summary>
    public FloatBuffer Normed { get; } = new();

    /// <summary>What a sub-layer writes [N, D].</summary>
    public FloatBuffer Output { get; } = new();

    /// <summary>Coefficients of the connection [N, C].</summary>
    public FloatBuffer Coefficients { get; } = new();

    /// <summary>cos and sin of the new positions [N, p/2, 2].</summary>
    public FloatBuffer Angles { get; } = new();

    /// <summary>Gathered rows of a memory layer [N, E].</summary>
    public FloatBuffer Memory { get; } = new();

    /// <summary>Room of the layer that runs, in several places.</summary>
    public FloatBuffer[] Scratch { get; } = [new(), new(), new(), new(), new(), new()];

    /// <summary>Addresses of the new tokens in all memory layers.</summary>
    public MemoryRows MemoryRows { get; } = new();

    /// <summary>Histories of the sequences, one each.</summary>
    public List<TokenHistory> Histories { get; } = [];

    /// <summary>Chosen experts [N, K] and the rows of the expert that runs.</summary>
    public int[] Chosen { get; private set; } = [];

    /// <summary>Slots (row · K + k) that go to the expert that runs.</summary>
    public int[] Slots { get; private set; } = [];

    /// <summary>The sequence of a row.</summary>
    public Sequence Sequence(int row) => _sequences[row];

    /// <summary>Position of a row in its sequence.</summary>
    public int Position(int row) => _positions[row];

    /// <summary>How many positions before it the memory may look back to; −1 where it takes no part.</summary>
    public int Age(int row) => _ages[row];

    /// <summary>First position that attention sees from a row.</summary>
    public int FirstVisible(int row) => _firstVisible[row];

    /// <summary>Room for token ids [N].</summary>
    public Span<int> Ids(int rows)
    {
        if (_ids.Length < rows)
            _ids = new int[rows];
        return _ids.AsSpan(0, rows);
    }

    /// <summary>Notes how long sequences are, for <see cref="RestoreLengths"/>.</summary>
    public void RememberLengths(ReadOnlySpan<Sequence> sequences)
    {
        if (_lengths.Length < sequences.Length)
            _lengths = new int[sequences.Length];
        for (var b = 0; b < sequences.Length; b++)
            _lengths[b] = sequences[b].Length;
    }

    /// <summary>Forgets what sequences have read since, after a failure.</summary>
    public void RestoreLengths(ReadOnlySpan<Sequence> sequences)
    {
        for (var b = 0; b < sequences.Length; b++)
            sequences[b].Truncate(_lengths[b]);
    }

    /// <summary>Makes <see cref="Histories"/> those of the sequences.</summary>
    public void TakeHistories(ReadOnlySpan<Sequence> sequences)
    {
        Histories.Clear();
        foreach (var sequence in sequences)
            Histories.Add(sequence.Tokens);
    }

    /// <summary>Makes room for the experts of all rows.</summary>
    public void ReserveSlots(int slots)
    {
        if (Slots.Length < slots)
            (Chosen, Slots) = (new int[slots], new int[slots]);
    }

    /// <summary>Takes in the last tokens of sequences, which their histories hold already.</summary>
    /// <param name="sequences">B.</param>
    /// <param name="length">T, new tokens of each.</param>
    /// <param name="withinDocuments">Whether attention stays within a document.</param>
    public void Begin(ReadOnlySpan<Sequence> sequences, int length, bool withinDocuments)
    {
        Rows = sequences.Length * length;
        if (_positions.Length < Rows)
            (_sequences, _positions, _ages, _firstVisible) = (new Sequence[Rows], new int[Rows], new int[Rows], new int[Rows]);
        for (int b = 0, row = 0; b < sequences.Length; b++)
        {
            var tokens = sequences[b].Tokens;
            for (var position = tokens.Length - length; position < tokens.Length; position++, row++)
            {
                (_sequences[row], _positions[row], _ages[row]) = (sequences[b], position, tokens.Ages[position]);
                _firstVisible[row] = withinDocuments ? tokens.Documents[position] : 0;
            }
        }
    }

    /// <summary>Holds no sequence any longer.</summary>
    public void End()
    {
        Histories.Clear();
        Array.Clear(_sequences);
    }
}
