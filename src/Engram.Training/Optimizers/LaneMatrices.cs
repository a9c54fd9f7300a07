using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Training.Optimizers;

/// <summary>
/// Room for L small matrices, one per lane, and for what the Newton–Schulz iteration makes of them. Matrices are kept with no more rows
/// than columns; rows and columns that fill up tiles are zero and stay so.
/// </summary>
internal sealed unsafe class LaneMatrices : IDisposable
{
    /// <summary>Rows and columns come in multiples of this.</summary>
    public const int Tile = 4;

    private const int Alignment = 64;

    private readonly int _rows;
    private readonly int _columns;
    private readonly int _lanes;
    private readonly float* _memory;

    /// <summary>Reserves the room.</summary>
    /// <param name="rows">Rows of every matrix outside.</param>
    /// <param name="columns">Columns of every matrix outside.</param>
    /// <param name="lanes">Matrices side by side.</param>
    public LaneMatrices(int rows, int columns, int lanes)
    {
        (_rows, _columns, _lanes) = (rows, columns, lanes);
        (N, M) = ((int)RoundedUp(Math.Min(rows, columns)), (int)RoundedUp(Math.Max(rows, columns)));
        _memory = (float*)NativeMemory.AlignedAlloc((nuint)Bytes(rows, columns, lanes), Alignment);
        X = _memory;
        Spare = X + (long)N * M * lanes;
        Gram = Spare + (long)N * M * lanes;
        Polynomial = Gram + (long)N * N * lanes;
    }

    /// <summary>Rows in here.</summary>
    public int N { get; }

    /// <summary>Columns in here.</summary>
    public int M { get; }

    /// <summary>The matrices, [N, M] of vectors.</summary>
    public float* X { get; private set; }

    /// <summary>Room for their successors, [N, M] of vectors.</summary>
    public float* Spare { get; private set; }

    /// <summary>[N, N] of vectors.</summary>
    public float* Gram { get; }

    /// <summary>[N, N] of vectors.</summary>
    public float* Polynomial { get; }

    /// <summary>Memory for matrices of a shape: the iteration is fast where this fits into one core's second-level cache.</summary>
    public static long Bytes(long rows, long columns, int lanes)
    {
        var (n, m) = (RoundedUp(Math.Min(rows, columns)), RoundedUp(Math.Max(rows, columns)));
        return 2 * n * (n + m) * lanes * sizeof(float);
    }

    /// <summary>The successors become the matrices.</summary>
    public void Swap()
    {
        var matrices = X;
        X = Spare;
        Spare = matrices;
    }

    /// <summary>
    /// A matrix of the outside in row order, [rows, columns], before it is scattered over its lane or after it was gathered from there.
    /// Shares memory with <see cref="Spare"/>.
    /// </summary>
    public Span<float> Staged(int lane) => new(Spare + (long)lane * _rows * _columns, _rows * _columns);

    /// <summary>Staged matrices of all lanes → <see cref="X"/>.</summary>
    public void Scatter()
    {
        new Span<float>(X, N * M * _lanes).Clear();
        Exchange(into: true);
    }

    /// <summary><see cref="X"/> → staged matrices of all lanes.</summary>
    public void Gather() => Exchange(into: false);

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private void Exchange(bool into)
    {
        var (row, column) = _rows <= _columns ? (M * _lanes, _lanes) : (_lanes, M * _lanes);
        var size = _rows * _columns;
        for (var lane = 0; lane < _lanes; lane += Tile)
        for (var i = 0; i < _rows; i++)
        {
            float* staged = Spare + (long)lane * size + i * _columns,
                x = X + (long)i * row + lane;
            var j = 0;
            if (Sse.IsSupported && _lanes >= Tile)
                for (; j <= _columns - Tile; j += Tile)
                    if (into)
                        Transpose(staged + j, size, x + (long)j * column, column);
                    else
                        Transpose(x + (long)j * column, column, staged + j, size);
            for (; j < _columns; j++)
            for (var l = 0; l < Math.Min(Tile, _lanes); l++)
                if (into)
                    x[(long)j * column + l] = staged[l * size + j];
                else
                    staged[l * size + j] = x[(long)j * column + l];
        }
    }

    /// <summary>A tile of 4 × 4 numbers, rows so far apart → its transpose.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(float* from, int fromRow, float* to, int toRow)
    {
        Vector128<float> a = Vector128.Load(from),
            b = Vector128.Load(from + fromRow),
            c = Vector128.Load(from + 2 * fromRow),
            d = Vector128.Load(from + 3 * fromRow);
        Vector128<float> abLow = Sse.UnpackLow(a, b),
            abHigh = Sse.UnpackHigh(a, b),
            cdLow = Sse.UnpackLow(c, d),
            cdHigh = Sse.UnpackHigh(c, d);
        Sse.MoveLowToHigh(abLow, cdLow).Store(to);
        Sse.MoveHighToLow(cdLow, abLow).Store(to + toRow);
        Sse.MoveLowToHigh(abHigh, cdHigh).Store(to + 2 * toRow);
        Sse.MoveHighToLow(cdHigh, abHigh).Store(to + 3 * toRow);
    }

    private static long RoundedUp(long extent) => (extent + Tile - 1) / Tile * Tile;
}
