using System.Numerics.Tensors;
using Engram.Storage;

namespace Engram.Tables.Training;

/// <summary>
/// Momentum with Sinkhorn balancing, as published for DeepSeek-V4.1 (report §2.5, Algorithm 1): the update of the whole table is made to
/// have rows of equal norm and columns of equal norm.
/// <para>
/// For a table of R rows and w columns, with Z the momentum and G the gradient: Z ← βZ + (1 − β)G; Ĝ = βZ + (1 − β)G; rows of Ĝ whose norm
/// is at most τ times the mean norm of all R rows are left out; then K times alternately every row and every column is divided by its norm
/// + ε; the result U moves the table: W ← W − γ·lr·√w·U. K is odd, so the rows that take part move by γ·lr, root mean square.
/// </para>
/// <para>
/// It is not lazy: a row read once goes on moving by full steps in the direction of its momentum until that has faded below the mask, some
/// 135 updates under the defaults, more where few rows are read. The rows above the mask are followed by number; the momentum of a row that
/// is not read is not written but scaled by βᵈ when needed, d updates later; rows that have sunk well below the mask are only counted:
/// their share of the mean norm fades by β. Should the mean norm fall so far that one of them could be above the mask again, the state is
/// searched for such rows. The result is that of the full matrix up to the rounding of float32. Memory beside the state: 48 bytes for each
/// row followed.
/// </para>
/// State: <c>.momentum</c> F32 or BF16 [w] a row, and <c>.last</c> I32, the update that wrote it. Beside them <c>.updates</c> I64 [1],
/// <c>.followed</c> I64 [n], <c>.silent</c> F64 [2]: sum and largest of the norms that are only counted.
/// </summary>
public sealed unsafe partial class RowSinkhorn : RowOptimizer
{
    // A row is followed until it is this far below the mask: the mean norm may wander without bringing back rows that have just been let
    // go.
    private const double FollowedBelowMask = 1.0 / 8;

    private const string Updates = ".updates";
    private const string FollowedNumbers = ".followed";
    private const string Silent = ".silent";

    private const int MostPowers = 1 << 12;
    private const int Momentum = 0;
    private const int Last = 1;

    private readonly double _beta;
    private readonly double _gamma;
    private readonly int _iterations;
    private readonly double _tau;
    private readonly double _epsilon;
    private readonly double[] _powers;
    private readonly float[] _scratch;

    private long _updates;
    private long _updatesRead;
    private bool _interrupted;
    private Followed[] _followed = [];
    private double _silentSum;
    private double _silentLargest;

    private struct Followed
    {
        public long Row;

        // Of the stored momentum.
        public double MomentumNorm;

        // Of the row of Ĝ.
        public double Norm;

        // r of the row of U, that is r·Ĝ/‖Ĝ‖∘c; 0 for rows below the mask.
        public double Scale;

        // Update that wrote the momentum.
        public int Last;

        // Position among the gradients of this update, or −1.
        public int Gradient;
    }

    /// <summary>Prepares the state: zeros, as many values as the table, plus a number per row.</summary>
    /// <param name="table">The table it writes: float32, <see cref="EngramTable.IsWritable"/>.</param>
    /// <param name="beta">Decay of the momentum, 0 to below 1. Default 0.95.</param>
    /// <param name="gamma">
    /// Root mean square of a row's step in learning rates, above 0. Default 0.18, which matches the size of Adam's steps.
    /// </param>
    /// <param name="iterations">Divisions K, odd. Default 11.</param>
    /// <param name="tau">Rows of at most this share of the mean norm do not move, 0 to below 1. Default 1e-3.</param>
    /// <param name="epsilon">Added to norms before a division, above 0. Default 1e-20.</param>
    /// <param name="moments">How the momentum is stored.</param>
    /// <param name="stateFile">
    /// A file to keep the state in, made if it is not there, for a table that is mapped; null keeps it in memory.
    /// </param>
    /// <exception cref="ArgumentException">The table cannot be trained, or a number is out of range.</exception>
    /// <exception cref="InvalidDataException">The state file belongs to another table or optimizer.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public RowSinkhorn(
        EngramTable table,
        double beta = 0.95,
        double gamma = 0.18,
        int iterations = 11,
        double tau = 1e-3,
        double epsilon = 1e-20,
        MomentFormat moments = MomentFormat.Float32,
        string? stateFile = null
    )
        : base(table, stateFile, StateArray.Moments(".momentum", moments, table.Width), new StateArray(".last", DType.I32))
    {
        Require(beta is >= 0 and < 1, beta, nameof(beta));
        Require(gamma is > 0 and < double.PositiveInfinity, gamma, nameof(gamma));
        Require(iterations >= 1 && iterations % 2 == 1, iterations, nameof(iterations));
        Require(tau is >= 0 and < 1, tau, nameof(tau));
        Require(epsilon is > 0 and < double.PositiveInfinity, epsilon, nameof(epsilon));
        (_beta, _gamma, _iterations, _tau, _epsilon) = (beta, gamma, iterations, tau, epsilon);
        _powers = [.. Enumerable.Range(0, MostPowers).Select(d => Math.Pow(beta, d))];
        _scratch = new float[table.Width];
    }

    /// <summary>Rows whose momentum is followed now.</summary>
    public int FollowedRows => _followed.Length;

    private protected override void Update(
        ReadOnlySpan<long> rows,
        float* gradients,
        double learningRate,
        float gradientScale,
        int threads
    ) => Update(rows, gradients, learningRate, gradientScale, threads, vectors: true);

    private protected override void UpdateScalar(ReadOnlySpan<long> rows, float* gradients, double learningRate, float gradientScale) =>
        Update(rows, gradients, learningRate, gradientScale, threads: 1, vectors: false);

    private void Update(
        ReadOnlySpan<long> uniqueRows,
        float* gradients,
        double learningRate,
        float gradientScale,
        int threads,
        bool vectors
    )
    {
        if (_interrupted)
            throw new InvalidOperationException(
                "An update ended in an error after it had written momenta: load a checkpoint before the next one."
            );
        var now = checked((int)(_updates + 1));
        var (sum, largest) = (_silentSum * _beta, _silentLargest * _beta);
        var followed = WithRead(uniqueRows, now, ref sum);
        var rows = Array.ConvertAll(followed, entry => entry.Row);
        Table.Prefetch(rows); // of most, this update has read nothing
        BeforeChange(rows);
        (_updates, _interrupted) = (now, true);
        fixed (Followed* entries = followed)
        {
            var pass = new Pass(this, (nint)entries, followed.Length, (nint)gradients, gradientScale, threads, vectors);
            pass.TakeGradients(now);
            var mask = _tau * (sum + Sum(followed)) / Table.Rows;
            if (mask < largest)
            {
                // Rare: a row that was let go may be above the mask again.
                SearchSilent(now, mask * FollowedBelowMask, ref followed, out sum, out largest);
                BeforeChange(Array.ConvertAll(followed, entry => entry.Row));
            }
            fixed (Followed* all = followed)
                new Pass(this, (nint)all, followed.Length, (nint)gradients, gradientScale, threads, vectors).Balance(
                    mask,
                    _gamma * learningRate * Math.Sqrt(Table.Width)
                );
            // What a row that was read will be worth unread decides whether it is followed.
            var below = mask * FollowedBelowMask;
            _followed = Array.FindAll(followed, entry => NormOf(entry, now) > below);
            foreach (var entry in followed)
                if (NormOf(entry, now) is var norm && norm <= below)
                    (sum, largest) = (sum + norm, Math.Max(largest, norm));
        }
        (_silentSum, _silentLargest, _interrupted) = (sum, largest, false);
    }

    private static double Sum(Followed[] followed)
    {
        var sum = 0.0;
        foreach (var entry in followed)
            sum += entry.Norm;
        return sum;
    }

    /// <summary>The rows followed and those read now, ascending. Rows that were only counted leave the sum.</summary>
    private Followed[] WithRead(ReadOnlySpan<long> rows, int now, ref double silentSum)
    {
        var (read, position) = (rows.ToArray(), Enumerable.Range(0, rows.Length).ToArray());
        Array.Sort(read, position);
        var merged = new List<Followed>(_followed.Length + read.Length);
        var (i, j) = (0, 0);
        while (j < read.Length && read[j] == -1)
            j++;
        while (i < _followed.Length || j < read.Length)
        {
            if (j == read.Length || (i < _followed.Length && _followed[i].Row < read[j]))
                merged.Add(_followed[i++] with { Gradient = -1 });
            else if (i < _followed.Length && _followed[i].Row == read[j])
                merged.Add(_followed[i++] with { Gradient = position[j++] });
            else
            {
                var entry = Stored(read[j]);
                if (entry.Last > 0)
                    silentSum = Math.Max(0, silentSum - NormOf(entry, now));
                merged.Add(entry with { Gradient = position[j++] });
            }
        }
        return [.. merged];
    }

    private Followed Stored(long row) =>
        new()
        {
            Row = row,
            Last = Rows.Count(Last, row),
            Gradient = -1,
            MomentumNorm = Rows.Count(Last, row) == 0 ? 0 : RowArithmetic.Norm(Rows.Widened(Momentum, row, _scratch)),
        };

    /// <summary>Norm of a row of Ĝ that is not read: β·β^d times its momentum.</summary>
    private double NormOf(in Followed entry, int now) => Power(now - entry.Last + 1) * entry.MomentumNorm;

    private double Power(int d) => d < _powers.Length ? _powers[d] : Math.Pow(_beta, d);

    /// <summary>Adds all rows above a norm, and counts the others anew.</summary>
    private void SearchSilent(int now, double above, ref Followed[] followed, out double sum, out double largest)
    {
        (sum, largest) = (0, 0);
        var merged = new List<Followed>(followed);
        var i = 0;
        for (var row = 0L; row < Table.Rows; row++)
        {
            if (Rows.Count(Last, row) == 0)
                continue;
            while (i < followed.Length && followed[i].Row < row)
                i++;
            if (i < followed.Length && followed[i].Row == row)
                continue;
            var entry = Stored(row);
            entry.Norm = NormOf(entry, now);
            if (entry.Norm > above)
                merged.Add(entry);
            else
                (sum, largest) = (sum + entry.Norm, Math.Max(largest, entry.Norm));
        }
        merged.Sort((one, other) => one.Row.CompareTo(other.Row));
        followed = [.. merged];
    }

    private protected override bool HasState(long row) => Rows.Count(Last, row) > 0;

    private protected override string? Flaw(StateRows rows, long row)
    {
        var last = rows.Count(Last, row);
        if (last < 1 || last > _updatesRead)
            return $"was updated last in update {last} of {_updatesRead}";
        return TensorPrimitives.IsFiniteAll<float>(rows.Widened(Momentum, row, _scratch)) ? null : "is not finite";
    }

    private protected override void SaveMore(SafetensorsWriter writer, string name)
    {
        writer.Add<long>(name + Updates, DType.I64, [_updates], 1);
        writer.Add<long>(name + FollowedNumbers, DType.I64, Array.ConvertAll(_followed, entry => entry.Row), _followed.Length);
        writer.Add<double>(name + Silent, DType.F64, [_silentSum, _silentLargest], 2);
    }

    private protected override Action LoadMore(SafetensorsFile file, string name)
    {
        Span<long> updates = stackalloc long[1];
        Span<double> silent = stackalloc double[2];
        file.CopyTo(name + Updates, updates, 1);
        file.CopyTo(name + Silent, silent, 2);
        var followed = Numbers(name + FollowedNumbers);
        var known = State.IsMapped ? [] : Numbers(name + RowState.RowNumbers);
        if (updates[0] is < 0 or > int.MaxValue)
            throw new InvalidDataException($"{file.Path}: {updates[0]} updates of '{name}'.");
        if (!double.IsFinite(silent[0]) || !double.IsFinite(silent[1]) || silent[0] < 0 || silent[1] < 0)
            throw new InvalidDataException(
                $"{file.Path}: '{name + Silent}' holds {silent[0]} and {silent[1]}; norms are finite and at least 0."
            );
        for (var i = 0; i < followed.Length; i++)
            if (
                followed[i] >= Table.Rows
                || followed[i] <= (i == 0 ? -1 : followed[i - 1])
                || !(State.IsMapped ? Rows.Count(Last, followed[i]) > 0 : Array.BinarySearch(known, followed[i]) >= 0)
            )
                throw new InvalidDataException(
                    $"{file.Path}: row {followed[i]} at position {i} of '{name + FollowedNumbers}'; rows with state are listed, ascending."
                );
        (_updatesRead, var (sum, largest)) = (updates[0], (silent[0], silent[1]));
        return () =>
        {
            (_updates, _silentSum, _silentLargest, _interrupted) = (_updatesRead, sum, largest, false);
            _followed = Array.ConvertAll(followed, Stored);
        };

        long[] Numbers(string tensor)
        {
            var numbers = new long[file.Require(tensor, DType.I64, -1).Shape[0]];
            file.CopyTo<long>(tensor, numbers);
            return numbers;
        }
    }
}
