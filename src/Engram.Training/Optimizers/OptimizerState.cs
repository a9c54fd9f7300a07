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
            throw new InvalidDataException(
                $"Optimizer state '{name}' is {stored.dtype} [{string.Join(", ", stored.shape)}], the parameter needs {own.dtype} "
                    + $"[{string.Join(", ", own.shape)}]."
            );
        return stored;
    }

    /// <summary>Refuses a stored state of other parameters or another optimizer.</summary>
    /// <exception cref="InvalidDataException">The names differ; the message gives the first ones.</exception>
    public static void RequireSameNames(IEnumerable<string> own, IEnumerable<string> stored)
    {
        var (needed, given) = (own.ToHashSet(StringComparer.Ordinal), stored.ToHashSet(StringComparer.Ordinal));
        var (missing, superfluous) = (
            needed.Except(given).Order(StringComparer.Ordinal).ToList(),
            given.Except(needed).Order(StringComparer.Ordinal).ToList()
        );
        if (missing.Count + superfluous.Count > 0)
            throw new InvalidDataException(
                $"Optimizer state does not belong to this model and optimizer: missing {List(missing)}; superfluous {List(superfluous)}."
            );

        static string List(List<string> names) =>
            names.Count == 0 ? "none" : string.Join(", ", names.Take(3)) + (names.Count > 3 ? $" and {names.Count - 3} more" : "");
    }
}
