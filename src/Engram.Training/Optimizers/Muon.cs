using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

/// <summary>How the length of a Muon update follows from the shape of the matrix.</summary>
public enum MuonScaling
{
    /// <summary>
    /// factor · √max(rows, columns): the update's RMS is about the factor, so learning rate and decay of AdamW fit (Moonlight;
    /// DeepSeek-V4).
    /// </summary>
    Rms,

    /// <summary>√max(1, rows / columns) (Jordan 2024); wants learning rates near 0.02.</summary>
    Jordan,
}

/// <summary>Settings of <see cref="Muon"/>. The paper names only the optimizer; the defaults are those of its successors.</summary>
public sealed record MuonOptions
{
    /// <summary>Decay of the running mean of gradients.</summary>
    /// <value>In [0, 1). Default 0.95.</value>
    public double Momentum { get; init; } = 0.95;

    /// <summary>Whether the update looks one step ahead: β·momentum + (1 − β)·gradient instead of the momentum.</summary>
    /// <value>Default true.</value>
    public bool Nesterov { get; init; } = true;

    /// <summary>Decoupled weight decay: each update multiplies the matrices by 1 − learning rate × this.</summary>
    /// <value>At least 0. Default 0.1.</value>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>The iteration that orthogonalises.</summary>
    /// <value>Default <see cref="Optimizers.NewtonSchulz.Jordan"/>.</value>
    public NewtonSchulz NewtonSchulz { get; init; } = NewtonSchulz.Jordan;

    /// <summary>Length of an update.</summary>
    /// <value>Default <see cref="MuonScaling.Rms"/>.</value>
    public MuonScaling Scaling { get; init; } = MuonScaling.Rms;

    /// <summary>RMS of an update under <see cref="MuonScaling.Rms"/>.</summary>
    /// <value>Positive. Default 0.2 (Moonlight); DeepSeek-V4.1 has 0.18.</value>
    public double RmsFactor { get; init; } = 0.2;

    /// <summary>The factor κ of the orthogonalised matrix: W ← W − learning rate · κ · O.</summary>
    /// <param name="rows">Rows of the logical matrix.</param>
    /// <param name="columns">Columns of the logical matrix.</param>
    public double Scale(long rows, long columns) =>
        Scaling switch
        {
            MuonScaling.Rms => RmsFactor * Math.Sqrt(Math.Max(rows, columns)),
            _ => Math.Sqrt(Math.Max(1, (double)rows / columns)),
        };

    /// <summary>Returns this instance, or throws naming the value out of range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public MuonOptions Validated()
    {
        Require.Fraction(Momentum);
        Require.NotNegative(WeightDecay);
        Require.Positive(RmsFactor);
        if (NewtonSchulz.First.Count < 0 || NewtonSchulz.Second.Count < 0 || NewtonSchulz.First.Count + NewtonSchulz.Second.Count < 1)
            throw new ArgumentOutOfRangeException(nameof(NewtonSchulz), NewtonSchulz, "The iteration needs at least one round.");
        return this;
    }
}

/// <summary>
/// Muon (Jordan 2024): momentum whose matrices are orthogonalised before they are applied, each logical matrix by itself. Matrices of one
/// shape, from whatever parameters, go through the iteration as one batch.
/// </summary>
public sealed class Muon : IDisposable
{
    /// <summary>
    /// A matrix is left out whose direction is smaller than this share of all gradients: 2⁻⁴⁰. Its gradient is zero but for rounding, of
    /// which orthogonalisation would make an update as large as any other. docs/deviations.md has the measured shares of rounding and of
    /// the smallest true gradients.
    /// </summary>
    internal const double LeastShare = 1.0 / (1L << 40);

    private readonly MuonOptions _options;
    private readonly Dictionary<string, Piece[]> _pieces = new(StringComparer.Ordinal);
    private readonly List<Group> _groups = [];

    /// <summary>Starts with zero momentum.</summary>
    /// <param name="parameters">
    /// Matrices [rows, columns] or stacks [count, rows, columns], with the row blocks that are matrices of their own.
    /// </param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ArgumentException">A parameter is no matrix, or its row blocks do not add up to its rows.</exception>
    public Muon(IReadOnlyList<ModelParameter> parameters, MuonOptions options)
    {
        _options = options.Validated();
        var pieces = parameters.SelectMany(Split).ToList();
        foreach (var shape in pieces.GroupBy(piece => (piece.Rows, piece.Columns)))
            _groups.Add(new Group([.. shape]));
        foreach (var parameter in pieces.GroupBy(piece => piece.Parameter.Name))
            _pieces.Add(parameter.Key, [.. parameter]);
    }

    /// <summary>Updates every parameter with the gradient it holds.</summary>
    /// <param name="learningRate">Step size of this update, before the factor for the shape.</param>
    /// <param name="gradientNorm">
    /// Norm of all gradients of the model together, of which a matrix must have a share; 0 leaves no matrix out.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative or not finite.</exception>
    /// <exception cref="InvalidOperationException">A parameter has no gradient.</exception>
    public void Step(double learningRate, double gradientNorm = 0)
    {
        Require.NotNegative(learningRate);
        Require.NotNegative(gradientNorm);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var gradients = _pieces.ToDictionary(p => p.Key, p => p.Value[0].Parameter.Gradient().contiguous());
        foreach (var group in _groups)
        {
            var (shrink, rate) = (1 - learningRate * _options.WeightDecay, learningRate * _options.Scale(group.Rows, group.Columns));
            // √size · largest entry, which is at hand, bounds the norm of a direction from above.
            var floor = LeastShare * gradientNorm / Math.Sqrt(group.Rows * group.Columns);
            if (group.Kernel is not null)
            {
                group.Update(gradients, _options, shrink, rate, floor);
                continue;
            }
            Tensor[] stacks = [.. group.Pieces.Select(piece => piece.Of(gradients[piece.Parameter.Name]))];
            TorchScript.Muon(
                group.Values,
                stacks,
                group.Momentum,
                _options.Momentum,
                _options.Nesterov,
                shrink,
                rate,
                floor,
                _options.NewtonSchulz
            );
        }
    }

    /// <summary>
    /// The state: <c>name.momentum</c>, of each parameter's shape. The handles belong to the caller; values may be live, so store them
    /// before the next update.
    /// </summary>
    public IReadOnlyList<(string Name, Tensor Value)> State()
    {
        using var noGrad = no_grad();
        return [.. _pieces.Select(entry => ($"{entry.Key}.momentum", Assembled(entry.Value)))];
    }

    private static Tensor Assembled(Piece[] pieces)
    {
        var parameter = pieces[0].Parameter.Tensor;
        if (pieces.Length == 1)
            return pieces[0].Momentum!.view(parameter.shape);
        var momentum = empty_like(parameter, requires_grad: false);
        foreach (var piece in pieces)
        {
            using var target = piece.Of(momentum);
            target.copy_(piece.Momentum!);
        }
        return momentum;
    }

    /// <summary>
    /// Takes over a state that <see cref="State"/> gave; what follows is bit-identical to a run that was never interrupted.
    /// </summary>
    /// <param name="state">Tensors by name; names of other optimizers are ignored.</param>
    /// <exception cref="InvalidDataException">A tensor is missing or has another shape or type. Nothing is changed then.</exception>
    public void Load(IReadOnlyDictionary<string, Tensor> state)
    {
        using var noGrad = no_grad();
        var stored = _pieces.ToDictionary(p => p.Key, p => OptimizerState.Find(state, $"{p.Key}.momentum", p.Value[0].Parameter.Tensor));
        foreach (var (name, pieces) in _pieces)
        foreach (var piece in pieces)
        {
            using var source = piece.Of(stored[name]);
            piece.Momentum!.copy_(source);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var group in _groups)
            group.Dispose();
    }

    /// <summary>Equal row blocks of a parameter are one piece [count × blocks, rows, columns]; unequal ones a piece each.</summary>
    private static IEnumerable<Piece> Split(ModelParameter parameter)
    {
        var shape = parameter.Tensor.shape;
        if (shape.Length is not (2 or 3))
            throw new ArgumentException(
                $"Parameter '{parameter.Name}' [{string.Join(", ", shape)}] is no matrix and no stack of matrices."
            );
        if (!parameter.Tensor.is_contiguous())
            throw new ArgumentException(
                $"Parameter '{parameter.Name}' is not contiguous in memory, so its matrices cannot be updated in place."
            );
        var (rows, columns) = (shape[^2], shape[^1]);
        int[] blocks = parameter.RowBlocks.Count > 0 ? [.. parameter.RowBlocks] : [checked((int)rows)];
        if (blocks.Any(block => block < 1) || blocks.Sum(block => (long)block) != rows)
            throw new ArgumentException(
                $"Row blocks {string.Join(" + ", blocks)} of parameter '{parameter.Name}' do not add up to its {rows} rows."
            );
        if (blocks.All(block => block == blocks[0]))
            return [new Piece(parameter, 0, rows, blocks[0], columns)];
        var offset = 0L;
        return blocks.Select(block => new Piece(parameter, (offset += block) - block, block, block, columns)).ToArray();
    }

    /// <summary>Rows [Start, Start + Extent) of each matrix of a parameter, read as matrices of <paramref name="Rows"/> rows.</summary>
    private sealed record Piece(ModelParameter Parameter, long Start, long Extent, long Rows, long Columns)
    {
        /// <summary>This piece's part of the group's momentum, [count, rows, columns].</summary>
        public Tensor? Momentum { get; set; }

        /// <summary>A view [count, rows, columns] of this piece in a tensor of the parameter's shape.</summary>
        public Tensor Of(Tensor whole)
        {
            using var part = whole.narrow(-2, Start, Extent);
            return part.reshape(-1, Rows, Columns);
        }

        /// <summary>
        /// Where the matrices of this piece begin in a contiguous tensor of the parameter's shape, in the order of <see cref="Of"/>.
        /// </summary>
        public unsafe void Addresses(Tensor whole, Span<nint> addresses)
        {
            var first = HostTensor.Pointer(whole);
            var (blocks, rows) = (Extent / Rows, Parameter.Tensor.size(-2));
            for (var i = 0; i < addresses.Length; i++)
                addresses[i] = (nint)(first + (i / blocks * rows + Start + i % blocks * Rows) * Columns);
        }
    }

    private sealed class Group : IDisposable
    {
        private readonly nint[] _values;
        private readonly nint[] _gradients;

        public Group(Piece[] pieces)
        {
            using var noGrad = no_grad();
            Pieces = pieces;
            Values = [.. pieces.Select(piece => piece.Of(piece.Parameter.Tensor).DetachFromDisposeScope())];
            var counts = Values.Select(value => value.size(0)).ToArray();
            Momentum = zeros([counts.Sum(), Rows, Columns], Values[0].dtype, Values[0].device).DetachFromDisposeScope();
            var offset = 0L;
            for (var i = 0; i < pieces.Length; i++)
            {
                pieces[i].Momentum = Momentum.narrow(0, offset, counts[i]).DetachFromDisposeScope();
                offset += counts[i];
            }

            (_values, _gradients) = (new nint[offset], new nint[offset]);
            if (HostTensor.Handles(Momentum) && NewtonSchulzKernel.LanesFor(offset, Rows, Columns) is > 0 and var lanes)
                Kernel = new MuonKernel((int)Rows, (int)Columns, lanes);
        }

        public Piece[] Pieces { get; }
        public long Rows => Pieces[0].Rows;
        public long Columns => Pieces[0].Columns;

        /// <summary>Views of the parameters, one per piece: an update through them is an update in place.</summary>
        public Tensor[] Values { get; }

        /// <summary>Momentum of all pieces, [matrices, rows, columns].</summary>
        public Tensor Momentum { get; }

        /// <summary>For many small matrices in host memory; null otherwise.</summary>
        public MuonKernel? Kernel { get; }

        /// <summary>One update by <see cref="Kernel"/>.</summary>
        public unsafe void Update(Dictionary<string, Tensor> gradients, MuonOptions options, double shrink, double rate, double floor)
        {
            var offset = 0;
            for (var i = 0; i < Pieces.Length; i++)
            {
                var count = (int)Values[i].size(0);
                Pieces[i].Addresses(Pieces[i].Parameter.Tensor, _values.AsSpan(offset, count));
                Pieces[i].Addresses(gradients[Pieces[i].Parameter.Name], _gradients.AsSpan(offset, count));
                offset += count;
            }
            Kernel!.Update(_values, _gradients, (nint)HostTensor.Pointer(Momentum), options, shrink, rate, floor);
        }

        public void Dispose()
        {
            Kernel?.Dispose();
            foreach (var value in Values)
                value.Dispose();
            foreach (var piece in Pieces)
                piece.Momentum?.Dispose();
            Momentum.Dispose();
        }
    }
}
