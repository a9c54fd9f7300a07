using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Gradient checks: central differences of a scalar in float64 along unit directions, against the backward pass.</summary>
internal static class FiniteDifferences
{
    private const double Step = 1e-5;

    /// <summary>
    /// Checks the gradient of every leaf along random directions, which see all its elements, and along single elements. The leaves are
    /// changed in place and restored.
    /// </summary>
    /// <param name="loss">The scalar, computed anew from the leaves.</param>
    /// <param name="leaves">What to differentiate by, float64.</param>
    /// <param name="choices">
    /// Discrete choices made inside <paramref name="loss"/>; where a step changes them there is no derivative and the direction is left
    /// out. At least half of all directions must remain.
    /// </param>
    /// <param name="directions">Random directions per leaf, and as many single elements.</param>
    public static void Check(
        Func<Tensor> loss,
        IEnumerable<(string Name, Tensor Leaf)> leaves,
        Func<int[]>? choices = null,
        int directions = 3
    )
    {
        var all = leaves.ToArray();
        foreach (var (_, leaf) in all)
            leaf.grad?.zero_();
        using (NewDisposeScope())
            loss().backward();

        var random = new Random(17);
        var (kept, skipped) = (0, 0);
        foreach (var (name, leaf) in all)
        {
            using var scope = NewDisposeScope();
            Assert.Equal(ScalarType.Float64, leaf.dtype);
            Assert.True(leaf.grad is not null, $"{name} received no gradient.");
            var gradient = leaf.grad!.clone();
            var size = gradient.norm().item<double>();
            Assert.True(size > 0, $"{name}: the gradient is zero, which tests nothing.");
            var before = leaf.detach().clone();
            for (var i = 0; i < 2 * directions; i++)
            {
                var direction = i < directions ? Sample.Normal(1000 + i, ScalarType.Float64, leaf.shape) : zeros_like(before);
                if (i >= directions)
                    direction.view(-1)[random.NextInt64(leaf.numel())] = 1.0;
                direction /= direction.norm();
                var expected = (gradient * direction).sum().item<double>();
                var route = choices?.Invoke();
                double At(double step)
                {
                    using var noGrad = no_grad();
                    using var inner = NewDisposeScope();
                    leaf.copy_(before + direction * step);
                    if (route is not null && !route.SequenceEqual(choices!()))
                        return double.NaN;
                    return loss().item<double>();
                }

                var slope = (At(Step) - At(-Step)) / (2 * Step);
                using (no_grad())
                    leaf.copy_(before);
                if (double.IsNaN(slope) && choices is not null)
                {
                    skipped++;
                    continue;
                }

                kept++;
                // Truncation is Step²/6 = 2e-11 times the third derivative, rounding 1e-16/Step = 1e-11 times the scalar: 1e-6 leaves room
                // for third derivatives four orders above the gradient, and a wrong term is visible from a millionth of the gradient on.
                Assert.True(
                    Math.Abs(slope - expected) <= 1e-6 * size + 1e-9,
                    $"{name}, direction {i}: backward pass {expected:G9}, central difference {slope:G9}, gradient norm {size:G3}."
                );
            }
        }

        Assert.True(
            kept >= skipped,
            $"{skipped} of {kept + skipped} directions cross a discrete choice: the check is empty, choose another input."
        );
    }

    /// <summary>Named parameters in the form that <see cref="Check"/> takes.</summary>
    public static IEnumerable<(string Name, Tensor Leaf)> Leaves(this ModelParameters parameters) =>
        parameters.All.Select(p => (p.Name, (Tensor)p.Tensor));
}
