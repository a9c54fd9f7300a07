using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

/// <summary>
/// The TorchScript source of the optimizers: operators of libtorch that TorchSharp does not bind and that pay only when a whole list of
/// tensors goes through one call. Compiled once per process.
/// </summary>
/// <remarks>
/// A script that names an unknown operator ends the process instead of throwing, and so does a call of a function that is not there.
/// Therefore all of it is here, each function behind one method, and a test compiles it in a child process first.
/// </remarks>
internal static class TorchScript
{
    // The C# compiler drops the final newline of a raw string; TorchScript refuses a source without one.
    private const string Source =
        """
            def adamw(p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], step: Tensor,
                      lr: float, beta1: float, beta2: float, decay: float, eps: float):
                steps = [step for t in p]
                torch._fused_adamw_(p, g, m, v, [], steps, lr=lr, beta1=beta1, beta2=beta2,
                                    weight_decay=decay, eps=eps, amsgrad=False, maximize=False)
                return step

            def norms(g: List[Tensor]):
                return torch.stack(torch._foreach_norm(g, 2.0))

            def scale(g: List[Tensor], factor: float):
                torch._foreach_mul_(g, factor)
                return g[0]

            def polynomial(x: Tensor, count: int, a: float, b: float, c: float):
                for i in range(count):
                    s = torch.bmm(x, x.transpose(1, 2))
                    x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=b, alpha=c), x, beta=a)
                return x

            def orthogonalize(u: Tensor, floor: float, precision: int, batch: int, count1: int, a1: float, b1: float, c1: float,
                              count2: int, a2: float, b2: float, c2: float):
                # The largest entry goes first, so that the squares in the norm neither underflow nor overflow.
                most = torch.amax(torch.abs(u), [1, 2], True)
                x = u / torch.clamp_min(most, 1.1754944e-38)
                if floor > 0:
                    x.mul_(most > floor)
                x.div_(torch.linalg_vector_norm(x, 2.0, [1, 2], True).add_(1e-7))
                tall = x.size(1) > x.size(2)
                x = x.to(precision)
                for part in torch.split(x, batch):
                    y = part.transpose(1, 2) if tall else part
                    y = polynomial(polynomial(y, count1, a1, b1, c1), count2, a2, b2, c2)
                    part.copy_(y.transpose(1, 2) if tall else y)
                return x.to(u.dtype)

            def muon(p: List[Tensor], g: List[Tensor], m: Tensor, beta: float, nesterov: bool, shrink: float, rate: float, floor: float,
                     precision: int, batch: int, count1: int, a1: float, b1: float, c1: float,
                     count2: int, a2: float, b2: float, c2: float):
                u = torch.cat(g)
                m.lerp_(u, 1.0 - beta)
                if nesterov:
                    u.lerp_(m, beta)
                else:
                    u = m
                x = orthogonalize(u, floor, precision, batch, count1, a1, b1, c1, count2, a2, b2, c2)
                sizes: List[int] = []
                for t in p:
                    sizes.append(t.size(0))
                torch._foreach_mul_(p, shrink)
                torch._foreach_add_(p, torch.split(x, sizes), alpha=-rate)
                return m

            """ + "\n";

    private static readonly Lazy<jit.CompilationUnit> Unit = new(() => jit.compile(Source));

    /// <summary>Compiles the source now instead of at the first call.</summary>
    public static void Compile() => _ = Unit.Value;

    /// <summary>
    /// One AdamW update of a list of tensors, in place: decoupled decay, bias correction by the 0-dimensional float32
    /// <paramref name="step"/> (already counted up).
    /// </summary>
    public static void AdamW(
        Tensor[] parameters,
        Tensor[] gradients,
        Tensor[] means,
        Tensor[] squares,
        Tensor step,
        double learningRate,
        double beta1,
        double beta2,
        double decay,
        double epsilon
    ) => Invoke("adamw", (object)parameters, gradients, means, squares, step, learningRate, beta1, beta2, decay, epsilon);

    /// <summary>The Euclidean norm of every tensor, as one vector of the tensors' type.</summary>
    public static Tensor Norms(Tensor[] tensors) => (Tensor)Invoke("norms", (object)tensors)!;

    /// <summary>Multiplies every tensor by a factor, in place.</summary>
    public static void Scale(Tensor[] tensors, double factor) => Invoke("scale", tensors, factor);

    /// <summary>
    /// Brings the singular values of each matrix of a [N, rows, columns] stack towards 1 (Newton–Schulz), in a new tensor.
    /// </summary>
    public static Tensor Orthogonalize(Tensor stack, NewtonSchulz scheme) =>
        (Tensor)Invoke("orthogonalize", [stack, 0.0, .. Arguments(stack, scheme)])!;

    /// <summary>
    /// One Muon update of equal-shaped matrices, in place. <paramref name="parameters"/> and <paramref name="gradients"/> are stacks [k,
    /// rows, columns]; <paramref name="momentum"/> holds all of them, one after the other, [sum of k, rows, columns]. A matrix whose
    /// direction has no entry above <paramref name="floor"/> is left out.
    /// </summary>
    public static void Muon(
        Tensor[] parameters,
        Tensor[] gradients,
        Tensor momentum,
        double beta,
        bool nesterov,
        double shrink,
        double rate,
        double floor,
        NewtonSchulz scheme
    ) => Invoke("muon", [parameters, gradients, momentum, beta, nesterov, shrink, rate, floor, .. Arguments(momentum, scheme)]);

    private static object? Invoke(string function, params object[] arguments)
    {
        // TorchSharp turns a long or a double into a Scalar that nothing refers to while libtorch reads it, and a garbage collection frees
        // it under the call. The Scalars made here, and the tensors, live until the call has ended.
        object[] held =
        [
            .. arguments.Select(argument =>
                argument switch
                {
                    long n => n.ToScalar(),
                    double x => x.ToScalar(),
                    float x => x.ToScalar(),
                    _ => argument,
                }
            ),
        ];
        try
        {
            return Unit.Value.invoke(function, held);
        }
        finally
        {
            foreach (var scalar in held.OfType<Scalar>())
                scalar.Dispose();
        }
    }

    private static object[] Arguments(Tensor stack, NewtonSchulz scheme) =>
        [
            (int)Precision(stack),
            MatricesPerBatch(stack),
            scheme.First.Count,
            scheme.First.A,
            scheme.First.B,
            scheme.First.C,
            scheme.Second.Count,
            scheme.Second.A,
            scheme.Second.B,
            scheme.Second.C,
        ];

    // Intermediate products stay in the core's cache: small matrices are taken so many at a time that a batch is at most this large.
    // 204 matrices of 48 x 48 take 9 ms that way and 18 ms at once (one thread, 2 MB of second-level cache).
    private const long BatchElements = 1 << 16;

    // The iteration forgives rounding; a CPU gains nothing by it, a GPU much.
    private static ScalarType Precision(Tensor stack) => stack.device_type == DeviceType.CPU ? stack.dtype : ScalarType.BFloat16;

    private static long MatricesPerBatch(Tensor stack) =>
        stack.device_type == DeviceType.CPU ? Math.Max(1, BatchElements / (stack.size(1) * stack.size(2))) : stack.size(0);
}
