using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Kernels;

// Shape letters: N rows   D hidden width   V vocabulary

/// <summary>
/// Mean cross-entropy of a linear read-out in chunks of rows, so that logits stay in the cache instead of crossing memory several times.
/// Both gradients are made while the chunk's probabilities are at hand. Reference: <c>cross_entropy(h · Wᵀ)</c>.
/// </summary>
internal sealed class LinearCrossEntropyKernel : HostFunction<LinearCrossEntropyKernel>
{
    // Logits of a chunk share one core's second-level cache (1 to 2 MiB) with the read-out matrix.
    private const int ChunkBytes = 1 << 19;

    // Some matrix products add all terms of an element one after the other, and every term after the target's large one is rounded to its
    // last place. In parts of this length a vocabulary of thousands loses no more digits than one of hundreds.
    private const int SummedTerms = 512;

    public override string Name => nameof(LinearCrossEntropyKernel);

    /// <summary>hidden [N, D], weight [V, D], target id per row → scalar mean loss in nats.</summary>
    public static Tensor Apply(Tensor hidden, Tensor weight, int[] targets) =>
        apply(hidden, weight, targets, is_grad_enabled() && (hidden.requires_grad || weight.requires_grad));

    /// <summary>hidden [N, D], weight [V, D], target id per row → loss of every row in nats. No gradient flows.</summary>
    public static double[] Losses(Tensor hidden, Tensor weight, int[] targets)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (rows, losses, weightT) = ((int)hidden.size(0), new double[targets.Length], weight.t());
        for (var (begin, chunk) = (0, Chunk(rows, weight)); begin < rows; begin += chunk)
        {
            using var inner = NewDisposeScope();
            TakeLosses(hidden.narrow(0, begin, Math.Min(chunk, rows - begin)).mm(weightT), targets, begin, losses, gradientOf: 0);
        }

        return losses;
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (hidden, weight, targets) = (((Tensor)vars[0]).contiguous(), (Tensor)vars[1], (int[])vars[2]);
        var wantsGradient = (bool)vars[3];
        var rows = (int)hidden.size(0);
        var chunk = Chunk(rows, weight);
        var losses = new double[rows];
        var weightT = weight.t();
        var dHidden = wantsGradient ? zeros_like(hidden) : null;
        var dWeight = wantsGradient ? zeros_like(weight) : null;
        for (var begin = 0; begin < rows; begin += chunk)
        {
            using var inner = NewDisposeScope();
            var count = Math.Min(chunk, rows - begin);
            var h = hidden.narrow(0, begin, count);
            var logits = h.mm(weightT);
            TakeLosses(logits, targets, begin, losses, wantsGradient ? rows : 0);
            if (!wantsGradient)
                continue;
            AddProduct(dHidden!.narrow(0, begin, count), logits, weight);
            dWeight!.addmm_(logits.t(), h);
        }

        var total = 0.0;
        foreach (var loss in losses)
            total += loss;
        if (wantsGradient)
            ctx.save_for_backward([dHidden!.MoveToOuterDisposeScope(), dWeight!.MoveToOuterDisposeScope()]);
        return tensor((float)(total / rows)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Rows of a chunk. Each chunk reads and writes the whole gradient of the read-out: as many rows as it is wide pay for that.
    /// </summary>
    private static int Chunk(int rows, Tensor weight) =>
        Math.Clamp(Math.Max(ChunkBytes * HostTensor.Parts(rows) / (4 * (int)weight.size(0)), (int)weight.size(1)), 16, Math.Max(16, rows));

    /// <summary>
    /// Takes the loss of each row of logits [n, V], and leaves in its place the gradient of the mean over <paramref name="gradientOf"/>
    /// rows; nothing of use where that is 0.
    /// </summary>
    private static unsafe void TakeLosses(Tensor logits, int[] targets, int first, double[] losses, int gradientOf)
    {
        var (p, vocabulary) = ((nint)HostTensor.Pointer(logits), (int)logits.size(1));
        HostTensor.InParts(
            (int)logits.size(0),
            (_, from, to) =>
            {
                for (var i = from; i < to; i++)
                {
                    var row = (float*)p + (long)i * vocabulary;
                    var target = targets[first + i];
                    var atTarget = row[target];
                    var (max, sum) = SoftmaxRow.Exponentials(row, vocabulary);
                    losses[first + i] = Math.Log(sum) + max - atTarget;
                    if (gradientOf == 0)
                        continue;
                    SoftmaxRow.Scale(row, vocabulary, 1 / (sum * gradientOf)); // probability / N
                    row[target] -= 1f / gradientOf;
                }
            }
        );
    }

    /// <summary>sum [N, D] += a [N, V] · b [V, D], in parts of V.</summary>
    private static void AddProduct(Tensor sum, Tensor a, Tensor b)
    {
        for (var from = 0L; from < b.size(0); from += SummedTerms)
        {
            using var scope = NewDisposeScope();
            var terms = Math.Min(SummedTerms, b.size(0) - from);
            sum.Accumulate(a.narrow(1, from, terms).mm(b.narrow(0, from, terms))); // addmm would go on from the sum so far, term by term
        }
    }

    protected override List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor gradient)
    {
        return [saved[0] * gradient, saved[1] * gradient, null!, null!];
    }
}
