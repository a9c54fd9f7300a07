using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

/// <summary>What <see cref="GradientClipping.Apply"/> found and did.</summary>
/// <param name="Norm">Euclidean norm of all gradients together, tables included, before clipping.</param>
/// <param name="Factor">
/// What the dense gradients were multiplied by and the table gradients still have to be: 1 if the norm is within the limit.
/// </param>
/// <param name="NonFinite">
/// Name of the first parameter whose gradient holds NaN or infinity, <see cref="GradientClipping.Tables"/> for the tables; null if all are
/// finite. If set, nothing was changed and the update must not be made.
/// </param>
public readonly record struct ClippedGradients(double Norm, double Factor, string? NonFinite);

/// <summary>Limits the norm of a step's gradients, dense and table gradients together.</summary>
public static class GradientClipping
{
    /// <summary>What <see cref="ClippedGradients.NonFinite"/> calls the tables.</summary>
    public const string Tables = "tables";

    /// <summary>
    /// Measures all gradients and scales the dense ones in place so that the norm of everything is at most <paramref name="maximum"/>.
    /// </summary>
    /// <param name="parameters">The dense parameters, each with a gradient.</param>
    /// <param name="maximum">Largest norm allowed; positive infinity only measures.</param>
    /// <param name="tableSumOfSquares">Sum of squares of the tables' row gradients, duplicates of a row summed before squaring.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not positive.</exception>
    /// <exception cref="InvalidOperationException">A parameter has no gradient.</exception>
    public static ClippedGradients Apply(IReadOnlyList<ModelParameter> parameters, double maximum, double tableSumOfSquares = 0)
    {
        if (!(maximum > 0))
            throw new ArgumentOutOfRangeException(
                nameof(maximum),
                maximum,
                $"The largest gradient norm is {maximum}, but must be positive."
            );
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor[] gradients = [.. parameters.Select(p => p.Gradient())];
        var norms = Norms(gradients);
        var norm = Math.Sqrt(norms.Sum(n => n * n) + tableSumOfSquares);
        if (!double.IsFinite(norm))
        {
            var first = Array.FindIndex(norms, n => !double.IsFinite(n));
            return new ClippedGradients(norm, 1, first < 0 ? Tables : parameters[first].Name);
        }
        var factor = norm > maximum ? maximum / norm : 1;
        if (factor < 1 && gradients.Length > 0)
            TorchScript.Scale(gradients, factor);
        return new ClippedGradients(norm, factor, null);
    }

    /// <summary>
    /// Norm of each gradient, summed in float32: exact to about 1e-4 for tensors of millions. Squares leave its range for entries beyond
    /// 1e19 and below 1e-19: what comes out as no normal number is measured again in float64.
    /// </summary>
    private static double[] Norms(Tensor[] gradients)
    {
        if (gradients.Length == 0)
            return [];
        double[] norms = [.. TorchScript.Norms(gradients).to(ScalarType.Float64, CPU).data<double>()];
        for (var i = 0; i < norms.Length; i++)
            if (!double.IsFinite(norms[i]) || norms[i] < 1e-15)
                norms[i] = gradients[i].to(ScalarType.Float64).norm().item<double>();
        return norms;
    }
}
