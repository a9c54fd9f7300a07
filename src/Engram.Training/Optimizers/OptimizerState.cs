using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

/// <summary>Checks of stored optimizer states.</summary>
internal static class OptimizerState
{
    /// <summary>The stored tensor of a name, with the shape and type of the optimizer's own.</summary>
    /// <exception cref="InvalidDataException">It is missing or of another shape or type.</exception>
    public static Tensor Find(IReadOnlyDictionary<string, Tensor> state, string name, Tensor own)
    {
        if (!state.TryGetValue(name, out var stored))
            throw new InvalidDataException($"Optimizer state '{name}' is missing.");
        if (!stored.shape.SequenceEqual(own.shape) || stored.dtype != own.dtype)
            throw new InvalidDataException($"Optimizer state '{name}' is {stored.dtype} [{string.Join(", ", stored.shape)}], the parameter needs {own.dtype} [{string.Join(", ", own.shape)}].");
        return stored;
    }
}
