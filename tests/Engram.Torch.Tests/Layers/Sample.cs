using Engram.Models.Configuration;
using Engram.Models.Sequences;
using Engram.Torch.Layers;
using Engram.Torch.Memory;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Random inputs that are the same in every run, in every order of tests, and in both precisions.</summary>
internal static class Sample
{
    /// <summary>Standard normal values, exactly representable in float32.</summary>
    public static Tensor Normal(int seed, ScalarType type, params long[] shape)
    {
        using var generator = new Generator((ulong)seed, CPU);
        return randn(shape, dtype: ScalarType.Float32, generator: generator).to(type);
    }

    /// <summary>A leaf that collects a gradient.</summary>
    public static Tensor Leaf(int seed, ScalarType type, params long[] shape) => Normal(seed, type, shape).requires_grad_();

    /// <summary>
    /// Moves every parameter away from its starting value, so that no term of a layer is silent or symmetric: matrices N(0, 1/columns),
    /// gains and scales around their start, taps and hyper-connection biases at random. Equal values in both precisions.
    /// </summary>
    public static void Fill(ModelParameters parameters, int seed)
    {
        using var noGrad = no_grad();
        foreach (var parameter in parameters.All)
        {
            using var scope = NewDisposeScope();
            var shape = parameter.Tensor.shape;
            using var generator = new Generator(StartingSeed.For(seed, parameter.Name), CPU);
            var noise = randn(shape, dtype: ScalarType.Float32, generator: generator);
            var start = parameter.Initial.Values;
            parameter.Tensor.copy_(
                parameter.Role != ParameterRole.Vector ? noise / Math.Sqrt(shape[^1])
                : start.Length == 1 ? noise * 0.3 + start[0]
                : noise
            );
        }
    }

    /// <summary>Random gathered rows for every memory layer, leaves with gradient.</summary>
    public static GatheredMemory Memory(ModelConfiguration configuration, int sequences, int length, int seed, ScalarType type)
    {
        var memory = new GatheredMemory();
        foreach (var layer in configuration.Engram!.LayerIds)
            memory.Set(layer, Leaf(seed + 101 * layer, type, sequences, length, configuration.Engram.MemoryWidth));
        return memory;
    }

    /// <summary>Memory made from another one, layer by layer.</summary>
    public static GatheredMemory Map(this GatheredMemory memory, ModelConfiguration configuration, Func<Tensor, Tensor> change)
    {
        var mapped = new GatheredMemory();
        foreach (var layer in configuration.Engram!.LayerIds)
            mapped.Set(layer, change(memory.Layer(layer)!.detach()).clone());
        return mapped;
    }

    /// <summary>Ages of every position, row-major [B, T], of a memory that begins anew at documents.</summary>
    public static int[] Ages(bool[] starts, int sequences, int length) =>
        new DocumentRule(TinyModels.Engram, startToken: null).Places(new int[sequences * length], starts, sequences).Ages;

    /// <summary>Token ids below the vocabulary size.</summary>
    public static int[] Ids(int seed, int count, int vocabulary)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }

    /// <summary>The values of a tensor in row-major order.</summary>
    public static double[] Values(this Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }

    /// <summary>The values of a matrix, row by row.</summary>
    public static double[][] Rows(this Tensor matrix) => [.. matrix.Values().Chunk((int)matrix.size(-1))];
}
