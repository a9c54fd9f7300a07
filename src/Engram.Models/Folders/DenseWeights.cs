using System.Runtime.InteropServices;
using Engram.Storage;
using static TorchSharp.torch;

namespace Engram.Models.Folders;

/// <summary>Dense weights and balancing biases as one safetensors file, float32.</summary>
internal static class DenseWeights
{
    /// <summary>Writes all parameters of a model, whole or not at all.</summary>
    public static void Save(EngramTransformer model, string path)
    {
        var writer = new SafetensorsWriter();
        var host = new List<Tensor>();
        try
        {
            using var noGrad = no_grad();
            foreach (var parameter in model.Parameters.All)
            {
                var values = parameter.Tensor.detach().to(ScalarType.Float32).cpu().contiguous().DetachFromDisposeScope();
                host.Add(values);
                foreach (var slice in TensorNames.Slices(parameter))
                    writer.Add(slice.Name, DType.F32, Values(values).Slice((int)slice.Offset, (int)slice.Count), slice.Shape);
            }

            foreach (var (name, bias) in model.RouterBiases)
                writer.Add<float>(name, DType.F32, bias.Span, bias.Length);
            writer.Write(path);
        }
        finally
        {
            foreach (var values in host)
                values.Dispose();
        }
    }

    /// <summary>Reads all parameters of a model.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, has another shape or type, or belongs to no parameter; the message lists them.</exception>
    public static void Load(EngramTransformer model, string path)
    {
        using var file = SafetensorsFile.Open(path);
        using var noGrad = no_grad();
        var expected = model.Parameters.All.SelectMany(TensorNames.Slices).Select(s => s.Name).Concat(model.RouterBiases.Select(b => b.Name)).ToHashSet(StringComparer.Ordinal);
        var missing = expected.Where(name => !file.Tensors.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        var unexpected = file.Tensors.Keys.Where(name => !expected.Contains(name)).Order(StringComparer.Ordinal).ToList();
        if (missing.Count + unexpected.Count > 0)
            throw new InvalidDataException($"{path} does not fit the configuration beside it: {Listing("missing", missing)}; {Listing("unexpected", unexpected)}.");

        foreach (var parameter in model.Parameters.All)
        {
            using var scope = NewDisposeScope();
            var values = empty(parameter.Tensor.shape, ScalarType.Float32);
            foreach (var slice in TensorNames.Slices(parameter))
                file.CopyTo(slice.Name, Values(values).Slice((int)slice.Offset, (int)slice.Count), slice.Shape);
            parameter.Tensor.copy_(values);
        }

        foreach (var (name, bias) in model.RouterBiases)
            file.CopyTo(name, bias.Span, bias.Length);
    }

    private static Span<float> Values(Tensor host) => MemoryMarshal.Cast<byte, float>(host.bytes);

    private static string Listing(string what, List<string> names) => names.Count switch
    {
        0 => $"nothing {what}",
        <= 5 => $"{what}: {string.Join(", ", names)}",
        _ => $"{what}: {string.Join(", ", names.Take(5))} and {names.Count - 5} more",
    };
}
