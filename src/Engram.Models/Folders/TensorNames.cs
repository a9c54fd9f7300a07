namespace Engram.Models.Folders;

/// <summary>
/// Names of dense weights on disk (Hugging Face's for DeepSeek models). In memory gate and up projections are one matrix and experts one
/// stack, because they are multiplied together; on disk each is a tensor of its own, a contiguous slice of the one in memory.
/// </summary>
public static class TensorNames
{
    private const string GateUp = ".gate_up_proj";
    private const string Experts = ".experts";

    /// <summary>A contiguous part of a parameter under its name on disk.</summary>
    /// <param name="Name">Tensor name in the file.</param>
    /// <param name="Shape">Its shape.</param>
    /// <param name="Offset">First element within the parameter.</param>
    public sealed record Slice(string Name, long[] Shape, long Offset)
    {
        /// <summary>Number of elements.</summary>
        public long Count => Shape.Aggregate(1L, (a, b) => a * b);
    }

    /// <summary>The tensors on disk that make up one parameter, in element order.</summary>
    /// <param name="name">Name of the parameter in memory.</param>
    /// <param name="shape">Its shape.</param>
    public static IEnumerable<Slice> Slices(string name, long[] shape)
    {
        if (shape.Length == 3 && name.Contains(Experts + ".", StringComparison.Ordinal))
        {
            var (stem, matrix) = (name[..name.LastIndexOf('.')], name[name.LastIndexOf('.')..]);
            for (long e = 0; e < shape[0]; e++)
                foreach (var slice in Matrix($"{stem}.{e}{matrix}", shape[1], shape[2], e * shape[1] * shape[2]))
                    yield return slice;
        }
        else if (name.EndsWith(GateUp + ".weight", StringComparison.Ordinal))
        {
            foreach (var slice in Matrix(name[..^".weight".Length], shape[0], shape[1], 0))
                yield return slice;
        }
        else
        {
            yield return new Slice(name, shape, 0);
        }
    }

    private static IEnumerable<Slice> Matrix(string name, long rows, long columns, long offset)
    {
        if (!name.EndsWith(GateUp, StringComparison.Ordinal))
        {
            yield return new Slice($"{name}.weight", [rows, columns], offset);
            yield break;
        }

        var stem = name[..^GateUp.Length];
        yield return new Slice($"{stem}.gate_proj.weight", [rows / 2, columns], offset);
        yield return new Slice($"{stem}.up_proj.weight", [rows / 2, columns], offset + rows / 2 * columns);
    }
}
