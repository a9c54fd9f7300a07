using System.Numerics.Tensors;

namespace Engram.Inference.Kernels;

/// <summary>Root-mean-square norms, softmax and gated activations of single rows.</summary>
internal static unsafe class Normalization
{
    /// <summary>1 / √(mean(x²) + ε).</summary>
    public static float InverseRms(float* x, int width, double epsilon) =>
        (float)(1 / Math.Sqrt(Dot(x, x, width) / (double)width + epsilon));

    /// <summary>y = x · g / √(mean(x²) + ε).</summary>
    public static void Rms(float* x, float* gain, int width, double epsilon, float* y)
    {
        var target = new Span<float>(y, width);
        TensorPrimitives.Multiply(new ReadOnlySpan<float>(x, width), InverseRms(x, width, epsilon), target);
        TensorPrimitives.Multiply(target, new ReadOnlySpan<float>(gain, width), target);
    }

    /// <summary>⟨a, b⟩.</summary>
    public static float Dot(float* a, float* b, int width)
    {
        float result;
        MatrixProduct.Multiply(new Matrix((nint)a, 1, width), b, 1, &result);
        return result;
    }

    /// <summary>x ← exp(x − max) / Σ exp(x − max).</summary>
    public static void Softmax(float* x, int count)
    {
        var values = new Span<float>(x, count);
        TensorPrimitives.Subtract(values, TensorPrimitives.Max<float>(values), values);
        TensorPrimitives.Exp<float>(values, values);
        // In an order of its own, so that the bits do not depend on where the row begins in memory.
        double a = 0,
            b = 0,
            c = 0,
            d = 0;
        var i = 0;
        for (; i + 4 <= count; i += 4)
            (a, b, c, d) = (a + x[i], b + x[i + 1], c + x[i + 2], d + x[i + 3]);
        for (; i < count; i++)
            a += x[i];
        TensorPrimitives.Multiply(values, (float)(1 / (a + b + (c + d))), values);
    }

    /// <summary>gate ← silu(gate) · up; <paramref name="scratch"/> has room for as many values.</summary>
    public static void SwiGlu(float* gate, float* up, int width, float* scratch)
    {
        var gates = new Span<float>(gate, width);
        var sigmoids = new Span<float>(scratch, width);
        TensorPrimitives.Sigmoid<float>(gates, sigmoids);
        TensorPrimitives.Multiply(gates, sigmoids, gates);
        TensorPrimitives.Multiply(gates, new ReadOnlySpan<float>(up, width), gates);
    }

    /// <summary>1 / (1 + e^(−x)).</summary>
    public static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));
}
