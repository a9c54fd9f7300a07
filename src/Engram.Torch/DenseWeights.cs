using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Torch.Kernels;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch;

/// <summary>Dense weights and balancing biases as one safetensors file: written as float32, read as float32 from every format.</summary>
internal static unsafe class DenseWeights
{
    private const int PieceLength = 1 << 24;

    /// <summary>Writes all parameters of a model, whole or not at all.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="identity">Which training the weights are of, or null.</param>
    public static void Save(EngramTransformer model, string path, string? identity = null)
    {
        var writer = new SafetensorsWriter();
        if (identity is not null)
            writer.Metadata[ModelIdentity.Key] = identity;
        var host = new List<Tensor>();
        try
        {
            using var noGrad = no_grad();
            foreach (var parameter in model.Parameters.All)
            {
                var values = parameter.Tensor.detach().to(ScalarType.Float32).cpu().contiguous().DetachFromDisposeScope();
                host.Add(values);
                foreach (var slice in TensorNames.Slices(parameter.Name, parameter.Tensor.shape))
                    writer.Add(slice.Name, DType.F32, HostTensor.Pointer(values) + slice.Offset, slice.Shape);
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

    /// <summary>
    /// Refuses a configuration that describes a much larger model than the file holds, before anything of that size is allocated.
    /// </summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or by far too small for the configuration.</exception>
    public static void RequireSizeOf(ModelConfiguration configuration, string path)
    {
        using var file = SafetensorsFile.Open(path);
        // Two values of int4 share an element.
        var held = file.Tensors.Values.Sum(tensor => tensor.DType == DType.U8 ? 2 * tensor.ElementCount : tensor.ElementCount);
        var plan = ModelPlan.Of(configuration);
        var described = plan.StoredParameters - plan.MemoryParameters;
        // Smaller differences are told tensor by tensor.
        if (described / 4 > held)
            throw new InvalidDataException(
                $"{path} holds {held} values, but the configuration beside it describes a model of {described} dense parameters."
            );
    }

    /// <summary>Reads all parameters of a model.</summary>
    /// <exception cref="InvalidDataException">
    /// A tensor is missing, has another shape or type, holds a value that is not finite, or belongs to no parameter; the message names it.
    /// </exception>
    public static void Load(EngramTransformer model, string path)
    {
        using var file = SafetensorsFile.Open(path);
        using var noGrad = no_grad();
        var expected = model
            .Parameters.All.SelectMany(p => TensorNames.Slices(p.Name, p.Tensor.shape))
            .Select(s => s.Name)
            .Concat(model.RouterBiases.Select(b => b.Name))
            .ToHashSet(StringComparer.Ordinal);
        var missing = expected.Where(name => !file.Tensors.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        expected.UnionWith(
            expected
                .Where(name => file.Tensors.TryGetValue(name, out var tensor) && tensor.DType is DType.I8 or DType.U8)
                .Select(MatrixFormat.ScaleTensor)
                .ToList()
        );
        var unexpected = file.Tensors.Keys.Where(name => !expected.Contains(name)).Order(StringComparer.Ordinal).ToList();
        if (missing.Count + unexpected.Count > 0)
            throw new InvalidDataException(
                $"{path} does not fit the configuration beside it: {Listing("missing", missing)}; "
                    + $"{Listing("unexpected", unexpected)}."
            );

        foreach (var parameter in model.Parameters.All)
        {
            using var scope = NewDisposeScope();
            var values = empty(parameter.Tensor.shape, ScalarType.Float32);
            foreach (var slice in TensorNames.Slices(parameter.Name, parameter.Tensor.shape))
                Read(file, slice.Name, HostTensor.Pointer(values) + slice.Offset, slice.Shape);
            parameter.Tensor.copy_(values);
        }

        foreach (var (name, bias) in model.RouterBiases)
        {
            using var pinned = bias.Pin();
            Read(file, name, (float*)pinned.Pointer, bias.Length);
        }
    }

    /// <summary>Reads a tensor of finite values as float32, whatever <see cref="MatrixFormat"/> it has.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="values">Receives its elements, row-major.</param>
    /// <param name="shape">The shape of its values.</param>
    /// <exception cref="InvalidDataException">It is missing, has another shape or type, or holds a value that is not finite.</exception>
    public static void Read(SafetensorsFile file, string name, float* values, params ReadOnlySpan<long> shape)
    {
        MatrixFormat.Decode(file, name, values, shape);
        var count = 1L;
        foreach (var size in shape)
            count *= size;
        for (var done = 0L; done < count; done += PieceLength)
            if (!TensorPrimitives.IsFiniteAll(new ReadOnlySpan<float>(values + done, (int)Math.Min(PieceLength, count - done))))
                throw new InvalidDataException($"{file.Path}: tensor '{name}' holds a value that is not finite.");
    }

    private static string Listing(string what, List<string> names) =>
        names.Count switch
        {
            0 => $"nothing {what}",
            <= 5 => $"{what}: {string.Join(", ", names)}",
            _ => $"{what}: {string.Join(", ", names.Take(5))} and {names.Count - 5} more",
        };
}
