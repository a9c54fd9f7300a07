using TorchSharp.Modules;

namespace Engram.Training.Optimizers;

/// <summary>A parameter as an optimizer sees it.</summary>
/// <param name="Name">Its name in checkpoints; states are stored under <c>name.state</c>.</param>
/// <param name="Tensor">The values, float32 or float64, updated in place.</param>
/// <param name="RowBlocks">Row counts of the logical matrices that lie one below the other in each matrix; empty if it is a single one. Only Muon looks at them.</param>
public sealed record OptimizedParameter(string Name, Parameter Tensor, IReadOnlyList<int> RowBlocks)
{
    /// <summary>A parameter that is one logical matrix, or no matrix at all.</summary>
    /// <param name="name">Its name in checkpoints.</param>
    /// <param name="tensor">The values.</param>
    public OptimizedParameter(string name, Parameter tensor) : this(name, tensor, []) { }

    /// <summary>The gradient of the last backward pass; a new handle at every call.</summary>
    /// <exception cref="InvalidOperationException">There is none: the parameter takes no part in the loss.</exception>
    internal TorchSharp.torch.Tensor Gradient() =>
        Tensor.grad ?? throw new InvalidOperationException($"Parameter '{Name}' has no gradient: it takes no part in the loss, or backward() did not run.");
}
