using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>
/// One layer twice with the same values: in float32, where it takes the kernels, and in float64, where it is composed of tensor operations.
/// </summary>
internal sealed class LayerPair<T>
{
    public LayerPair(Func<ModelParameters, T> build, int seed = 3)
    {
        Single = build(SingleParameters);
        Double = build(DoubleParameters);
        Sample.Fill(SingleParameters, seed);
        Sample.Fill(DoubleParameters, seed);
    }

    public ModelParameters SingleParameters { get; } = TinyModels.Parameters(ScalarType.Float32);

    public ModelParameters DoubleParameters { get; } = TinyModels.Parameters(ScalarType.Float64);

    public T Single { get; }

    public T Double { get; }
}
