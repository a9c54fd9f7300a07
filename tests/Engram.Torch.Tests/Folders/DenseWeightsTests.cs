using Engram.Storage;
using Engram.Tests.Storage;
using Engram.Torch.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Folders;

/// <summary>Tensors that are longer than a span: the same code, with a short span instead of gigabytes.</summary>
public sealed unsafe class DenseWeightsTests : IDisposable
{
    private const int Piece = 1 << 24;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_address_of_a_tensor_does_not_depend_on_its_length()
    {
        using var scope = NewDisposeScope();
        var stack = arange(24, ScalarType.Float32).view(2, 3, 4);
        Assert.True(HostTensor.Pointer(stack, longestSpan: 5) == HostTensor.Pointer(stack));
        var second = stack.select(0, 1);
        Assert.Equal(12, HostTensor.Pointer(second, longestSpan: 5)[0]);
        Assert.True(HostTensor.Pointer(zeros([0, 3], ScalarType.Float32)) == null);
    }

    [Theory, InlineData(-1), InlineData(0), InlineData(5), InlineData(Piece + 1)]
    public void Pieces_make_the_whole(int beyond)
    {
        var path = _folder.File("weights.safetensors");
        var values = new float[Piece + beyond];
        for (var i = 0; i < values.Length; i++)
            values[i] = i % 8191;
        Write();
        var read = new float[values.Length];
        Read();
        Assert.Equal(values, read);

        values[^1] = float.NaN;
        Write();
        Assert.Contains("'stack'", Assert.Throws<InvalidDataException>(Read).Message);

        void Write()
        {
            var writer = new SafetensorsWriter();
            writer.Add<float>("stack", DType.F32, values, values.Length);
            writer.Write(path);
        }

        void Read()
        {
            using var file = SafetensorsFile.Open(path);
            fixed (float* target = read)
                DenseWeights.Read(file, "stack", target, values.Length);
        }
    }
}
