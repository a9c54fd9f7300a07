using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

internal static class ParameterGradient
{
    /// <summary>The gradient of the last backward pass; a new handle at every call.</summary>
    /// <exception cref="InvalidOperationException">There is none: the parameter takes no part in the loss.</exception>
    public static Tensor Gradient(this ModelParameter parameter) =>
        parameter.Tensor.grad
        ?? throw new InvalidOperationException(
            $"Parameter '{parameter.Name}' has no gradient: it takes no part in the loss, or backward() did not run."
        );
}
