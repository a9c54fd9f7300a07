using Engram.Addressing;

namespace Engram.Models.Memory;

/// <summary>The table rows that a batch reads in every memory layer. Reused from batch to batch; grows, never shrinks.</summary>
public sealed class MemoryRows
{
    private long[] _rows = [];
    private int[] _canonical = [];
    private AddressWindow? _window;
    private NgramAddresser? _windowOf;
    private bool[] _starts = [];
    private long[] _chunk = [];

    /// <summary>Positions N = B · T of the batch.</summary>
    public int Tokens { get; private set; }

    /// <summary>Rows that one position reads in one layer, H.</summary>
    public int Columns { get; private set; }

    /// <summary>Canonical id of every position; −1 at dead ones.</summary>
    public Span<int> CanonicalIds => _canonical.AsSpan(0, Tokens);

    /// <summary>Rows of one memory layer, [N, H], order-major columns; −1 reads nothing.</summary>
    /// <param name="position">Position of the layer in the configuration's list of memory layers.</param>
    public ReadOnlySpan<long> Layer(int position) => _rows.AsSpan(position * Tokens * Columns, Tokens * Columns);

    internal Span<bool> Starts => _starts.AsSpan(0, Tokens);

    internal Span<long> All(int layers) => _rows.AsSpan(0, layers * Tokens * Columns);

    /// <summary>A window that serves one call after the other.</summary>
    internal AddressWindow Window(NgramAddresser addresser)
    {
        if (_window is null || _windowOf != addresser)
            (_window, _windowOf) = (addresser.NewWindow(), addresser);
        return _window;
    }

    /// <summary>Room for the rows of one sequence before they are put beside those of the others.</summary>
    internal Span<long> Chunk(int rows)
    {
        if (_chunk.Length < rows)
            _chunk = new long[rows];
        return _chunk.AsSpan(0, rows);
    }

    /// <exception cref="ArgumentException">There are more rows than one array holds.</exception>
    internal void Resize(int tokens, int columns, int layers)
    {
        if ((Int128)tokens * columns * layers is var all && all > Array.MaxLength)
            throw new ArgumentException(
                $"{tokens} positions read {all} rows in {layers} memory layers; at most {Array.MaxLength} are possible at once: take "
                    + "fewer positions.",
                nameof(tokens)
            );
        (Tokens, Columns) = (tokens, columns);
        if (_canonical.Length < tokens)
            (_canonical, _starts) = (new int[tokens], new bool[tokens]);
        if (_rows.Length < tokens * columns * layers)
            _rows = new long[tokens * columns * layers];
    }
}
