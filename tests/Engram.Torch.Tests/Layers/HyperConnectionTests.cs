using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class HyperConnectionTests
{
    private const int Streams = 3;
    private const int Width = 5;

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Mixing_goes_from_source_to_destination(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var layer = Layer(type, streams: 2, width: 1).Layer;
        // post = (½, 2); comb[source, destination] = ((0.1, 0.2), (0.3, 0.4)); streams 1 and 10; sub-layer output 100.
        var coefficients = tensor(new[] { 0, 0, 0.5, 2, 0.1, 0.2, 0.3, 0.4 }, [1, 8]).to(type);
        var written = layer.Write(
            tensor(new double[] { 1, 10 }, [1, 2, 1]).to(type),
            tensor(new double[] { 100 }, [1, 1]).to(type),
            coefficients
        );
        TensorAssert.Close(tensor(new[] { 50 + 0.1 + 3, 200 + 0.2 + 4 }, [1, 2, 1]), written, 2e-7); // float32 rounding
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Agrees_with_a_plain_reference(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(type);
        var streams = Sample.Normal(1, type, 6, Streams, Width);
        var output = Sample.Normal(2, type, 6, Width);
        var (input, coefficients) = layer.Read(streams);
        var written = layer.Write(streams, output, coefficients);
        for (var t = 0; t < 6; t++)
        {
            var (expectedInput, expectedWritten) = Reference(parameters, streams[t].Rows(), output[t].Values());
            var tolerance = type == ScalarType.Float32 ? 2e-6 : 1e-14; // some forty roundings of the type
            TensorAssert.Close(tensor(expectedInput), input[t], tolerance, "sub-layer input");
            TensorAssert.Close(
                tensor(expectedWritten.SelectMany(row => row).ToArray(), [Streams, Width]),
                written[t],
                tolerance,
                "streams"
            );
        }
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Permuting_streams_and_parameters_permutes_the_state(ScalarType type)
    {
        using var scope = NewDisposeScope();
        int[] permutation = [2, 0, 1];
        var index = tensor(permutation, ScalarType.Int64);
        var (original, from) = Layer(type);
        var (permuted, to) = Layer(type);
        using (no_grad())
        {
            // Rows of fn and entries of base: read n, write n, mix [source, destination]; columns of fn: stream, then width.
            int[] rows =
            [
                .. permutation,
                .. permutation.Select(p => Streams + p),
                .. permutation.SelectMany(source => permutation.Select(destination => 2 * Streams + source * Streams + destination)),
            ];
            var order = tensor(rows, ScalarType.Int64);
            to["hc_fn"]
                .Tensor.copy_(
                    from["hc_fn"].Tensor.index_select(0, order).view(-1, Streams, Width).index_select(1, index).view(-1, Streams * Width)
                );
            to["hc_base"].Tensor.copy_(from["hc_base"].Tensor.index_select(0, order));
        }

        var streams = Sample.Normal(1, type, 4, Streams, Width);
        Tensor Run(HyperConnection layer, Tensor x)
        {
            var (input, coefficients) = layer.Read(x);
            return layer.Write(x, input.tanh(), coefficients);
        }

        // Sums over streams in another order.
        var tolerance = type == ScalarType.Float32 ? 2e-6 : 1e-14;
        TensorAssert.Close(Run(original, streams).index_select(1, index), Run(permuted, streams.index_select(1, index)), tolerance);
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(ScalarType.Float64);
        var (x, matrix) = (Sample.Leaf(1, ScalarType.Float64, 4, Streams, Width), Sample.Leaf(2, ScalarType.Float64, Width, Width));
        var weights = Sample.Normal(3, ScalarType.Float64, 4, Streams, Width);
        FiniteDifferences.Check(
            () =>
            {
                var (input, coefficients) = layer.Read(x);
                return (layer.Write(x, input.mm(matrix).tanh(), coefficients) * weights).sum();
            },
            [("streams", x), ("sub-layer", matrix), .. parameters.Leaves()]
        );
    }

    [Theory, InlineData(0), InlineData(1), InlineData(2), InlineData(5)]
    public void The_start_reads_one_stream_most_writes_to_all_and_hardly_mixes(int index)
    {
        using var scope = NewDisposeScope();
        var parameters = TinyModels.Parameters(ScalarType.Float64);
        var layer = new HyperConnection(TinyModels.Dense with { HcMult = 4 }, "hc", index, parameters);
        parameters.Initialize(1);
        var coefficients = layer.Read(Sample.Normal(1, ScalarType.Float64, 2, 4, 16)).Coefficients;
        double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
        for (var token = 0; token < 2; token++)
        {
            var values = coefficients[token].Values();
            for (var m = 0; m < 4; m++)
            {
                Assert.Equal(Sigmoid(m == index % 4 ? 1 : -1) + 1e-6, values[m], 1e-9); // base is a float32 constant
                Assert.Equal(1, values[4 + m], 1e-12);
                for (var k = 0; k < 4; k++)
                    Assert.Equal(m == k ? 0.998990629 : 0.000336124, values[8 + 4 * m + k], 1e-9); // golden of the near-identity logits
            }
        }
    }

    /// <summary>One token in loops, in the textbook order: norm over all streams jointly, then the map.</summary>
    private static (double[] Input, double[][] Written) Reference(ModelParameters parameters, double[][] streams, double[] output)
    {
        const int n = Streams;
        var (fn, bias, scale) = (
            parameters["hc_fn"].Tensor.Rows(),
            parameters["hc_base"].Tensor.Values(),
            parameters["hc_scale"].Tensor.Values()
        );
        var flat = streams.SelectMany(row => row).ToArray();
        var r = 1 / Math.Sqrt(flat.Sum(v => v * v) / flat.Length + 1e-6);
        var w = fn.Select(
                (row, k) =>
                    row.Zip(flat, (a, b) => a * (b * r)).Sum()
                        * scale[
                            k < n ? 0
                            : k < 2 * n ? 1
                            : 2
                        ]
                    + bias[k]
            )
            .ToArray();
        double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
        var pre = w[..n].Select(v => Sigmoid(v) + 1e-6).ToArray();
        var post = w[n..(2 * n)].Select(v => 2 * Sigmoid(v)).ToArray();
        var comb = w[(2 * n)..]
            .Chunk(n)
            .Select(row =>
            {
                var exponentials = row.Select(Math.Exp).ToArray();
                return exponentials.Select(e => e / exponentials.Sum() + 1e-6).ToArray();
            })
            .ToArray();
        for (var round = 0; round < 20; round++)
        {
            if (round > 0)
                comb = [.. comb.Select(row => row.Select(v => v / (row.Sum() + 1e-6)).ToArray())];
            var sums = Enumerable.Range(0, n).Select(k => comb.Sum(row => row[k]) + 1e-6).ToArray();
            comb = [.. comb.Select(row => row.Select((v, k) => v / sums[k]).ToArray())];
        }

        var input = Enumerable.Range(0, Width).Select(i => Enumerable.Range(0, n).Sum(m => pre[m] * streams[m][i])).ToArray();
        var written = Enumerable
            .Range(0, n)
            .Select(k =>
                Enumerable
                    .Range(0, Width)
                    .Select(i => post[k] * output[i] + Enumerable.Range(0, n).Sum(m => comb[m][k] * streams[m][i]))
                    .ToArray()
            )
            .ToArray();
        return (input, written);
    }

    private static (HyperConnection Layer, ModelParameters Parameters) Layer(ScalarType type, int streams = Streams, int width = Width)
    {
        var parameters = TinyModels.Parameters(type);
        var layer = new HyperConnection(TinyModels.Dense with { HcMult = streams, HiddenSize = width }, "hc", 0, parameters);
        Sample.Fill(parameters, 3);
        return (layer, parameters);
    }
}
