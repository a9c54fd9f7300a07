using Engram.Inference.Kernels;
using Engram.Inference.Sequences;
using Engram.Inference.Taps;
using Engram.Inference.Threads;
using Engram.Models.Memory;
using Engram.Models.Sequences;

namespace Engram.Inference.Layers;

// Shape letters: N rows (one per new token)   n streams   D hidden width   C coefficients   E memory width

/// <summary>
/// The new tokens of some sequences on their way through the layers, and all room that the layers need for them. Reused from pass to pass,
/// so that a token allocates nothing.
/// Rows of a sequence are consecutive and in order.
/// </summary>
internal sealed unsafe class ForwardPass
{
    private const long LeastShared = 1 << 16;

    private Sequence[] _sequences = [];
    private int[] _positions = [];
    private int[] _ages = [];
    private int[] _firstVisible = [];
    private int[] _lengths = [];
    private int[] _ids = [];
    private int _parts;

    private static readonly Action<ForwardPass, int> ProductPart = (pass, part) => pass.Products.Run(part, pass._parts);

    /// <summary>N.</summary>
    public int Rows { get; private set; }

    /// <summary>New tokens of each sequence.</summary>
    public int RowsPerSequence { get; private set; }

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

    /// <summary>Products that <see cref="RunProducts"/> will do.</summary>
    public ProductList Products { get; } = new();

    /// <summary>Threads that help with this pass; null where it has its caller's alone.</summary>
    public ThreadTeam<ForwardPass>? Team { get; set; }

    /// <summary>Takes what the memory layers do; null where nobody asks.</summary>
    public MemoryTap? Tap { get; set; }

    /// <summary>Rows that the attention of one sequence reads at once, and where they begin; of the layer that runs.</summary>
    public (int Row, int Rows, int First, int Visible) Run { get; set; }

    /// <summary>Heads that one part of an attention's work has; of the layer that runs.</summary>
    public int HeadsPerPart { get; set; }

    /// <summary>Where the scores of every row begin; of the layer that runs.</summary>
    public long[] ScoreStarts { get; private set; } = [];

    /// <summary>Addresses of the new tokens in all memory layers.</summary>
    public MemoryRows MemoryRows { get; } = new();

    /// <summary>Histories of the sequences, one each.</summary>
    public List<TokenHistory> Histories { get; } = [];

    /// <summary>Chosen experts [N, K].</summary>
    public int[] Chosen { get; private set; } = [];

    /// <summary>Slots (row · K + k), expert by expert.</summary>
    public int[] Slots { get; private set; } = [];

    /// <summary>Where a slot stands among them.</summary>
    public int[] Places { get; private set; } = [];

    /// <summary>Where the slots of each expert begin among them [E + 1].</summary>
    public int[] ExpertStarts { get; private set; } = [];

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

    /// <summary>y [N, R] = x [N, K] · wᵀ, by all threads.</summary>
    public void Multiply(in Matrix w, float* x, int vectors, float* y)
    {
        Products.Add(w, x, vectors, y);
        RunProducts();
    }

    /// <summary>Does <see cref="Products"/> by all threads, and empties the list.</summary>
    public void RunProducts()
    {
        _parts = Products.Cut(Team?.Threads ?? 1);
        if (_parts == 1)
            Products.Run(0, 1);
        else
            Team!.Run(ProductPart, this, _parts);
        Products.Clear();
    }

    /// <summary>Does parts that do not wait for each other, by all threads.</summary>
    /// <param name="work">Does one.</param>
    /// <param name="parts">How many there are.</param>
    /// <param name="size">Multiplications of all: few are done before another thread has begun.</param>
    public void RunParts(Action<ForwardPass, int> work, int parts, long size)
    {
        if (Team is not null && parts > 1 && size >= LeastShared)
            Team.Run(work, this, parts);
        else
            for (var part = 0; part < parts; part++)
                work(this, part);
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
    public void ReserveSlots(int slots, int experts)
    {
        if (Slots.Length < slots)
            (Chosen, Slots, Places) = (new int[slots], new int[slots], new int[slots]);
        if (ExpertStarts.Length != experts + 1)
            ExpertStarts = new int[experts + 1];
    }

    /// <summary>Takes in the last tokens of sequences, which their histories hold already.</summary>
    /// <param name="sequences">B.</param>
    /// <param name="length">T, new tokens of each.</param>
    /// <param name="withinDocuments">Whether attention stays within a document.</param>
    public void Begin(ReadOnlySpan<Sequence> sequences, int length, bool withinDocuments)
    {
        (Rows, RowsPerSequence) = (sequences.Length * length, length);
        if (_positions.Length < Rows)
        {
            (_sequences, _positions, _ages, _firstVisible) = (new Sequence[Rows], new int[Rows], new int[Rows], new int[Rows]);
            ScoreStarts = new long[Rows];
        }

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

    /// <summary>Holds no sequence and no tap any longer.</summary>
    public void End()
    {
        Tap = null;
        Histories.Clear();
        Array.Clear(_sequences);
    }
}
