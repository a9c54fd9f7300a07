using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Engram.Torch.Tests.Optimizers;

public class MuonKernelTests
{
    /// <summary>Square, wide, tall; multiples of the tile of 4 and not.</summary>
    private static readonly (int Rows, int Columns)[] Shapes = [(48, 48), (1, 1), (1, 7), (7, 1), (3, 5), (5, 3), (8, 24), (30, 9)];

    public static TheoryData<int, int, int> ShapesAndLanes()
    {
        var cases = new TheoryData<int, int, int>();
        foreach (var (rows, columns) in Shapes)
        foreach (var lanes in new[] { 1, 8, 16 })
            cases.Add(rows, columns, lanes);
        return cases;
    }

    [Theory, MemberData(nameof(NewtonSchulzTests.Golden), MemberType = typeof(NewtonSchulzTests))]
    public void A_singular_value_ends_where_the_polynomials_take_it(double s, double jordan, double hybrid)
    {
        float[] matrix = [(float)s, 0, 0, (float)Math.Sqrt(1 - s * s)];
        foreach (var lanes in new[] { 1, 8, 16 })
        {
            // Ten and twenty roundings of float32 a round, as often magnified as the value itself.
            Assert.Equal(jordan, Orthogonalized([matrix], 2, 2, lanes, NewtonSchulz.Jordan)[0][0], 1e-5 * Math.Max(1, jordan));
            Assert.Equal(hybrid, Orthogonalized([matrix], 2, 2, lanes, NewtonSchulz.Hybrid)[0][0], 1e-4);
        }
    }

    [Theory, MemberData(nameof(ShapesAndLanes))]
    public void Every_width_ends_in_the_bits_of_the_scalar_twin(int rows, int columns, int lanes)
    {
        var matrices = Enumerable.Range(0, lanes).Select(lane => Noise(lane, rows * columns)).ToArray();
        var together = Orthogonalized(matrices, rows, columns, lanes, NewtonSchulz.Hybrid);
        for (var lane = 0; lane < lanes; lane++)
            Assert.Equal(Orthogonalized([matrices[lane]], rows, columns, 1, NewtonSchulz.Hybrid)[0], together[lane]);
    }

    [Theory, MemberData(nameof(ShapesAndLanes))]
    public void Agrees_with_the_script_in_double_precision(int rows, int columns, int lanes)
    {
        using var scope = NewDisposeScope();
        var matrices = Enumerable.Range(0, lanes).Select(lane => Noise(lane, rows * columns)).ToArray();
        var expected = TorchScript.Orthogonalize(
            tensor(matrices.SelectMany(m => m).ToArray(), [lanes, rows, columns]).to(ScalarType.Float64),
            NewtonSchulz.Jordan
        );
        var actual = Orthogonalized(matrices, rows, columns, lanes, NewtonSchulz.Jordan);
        // Five rounds of sums of up to 48 float32 products; Jordan's polynomial magnifies a difference of small singular values 3.4 times a
        // round.
        TensorAssert.Close(expected, tensor(actual.SelectMany(m => m).ToArray(), [lanes, rows, columns]), 1e-4);
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void Several_updates_agree_with_the_script_in_double_precision(bool nesterov)
    {
        using var scope = NewDisposeScope();
        var options = new MuonOptions { Nesterov = nesterov };
        foreach (var (rows, columns) in Shapes)
        {
            const int count = 19; // a full batch and some
            var start = randn(count, rows, columns, generator: new Generator(1));
            var (single, twice) = (Of(start.clone()), Of(start.to(ScalarType.Float64)));
            using var kernel = new Muon([single], options);
            using var script = new Muon([twice], options);
            for (var step = 0; step < 3; step++)
            {
                var gradient = randn(count, rows, columns, generator: new Generator((ulong)(10 + step)));
                single.Tensor.grad = gradient;
                twice.Tensor.grad = gradient.to(ScalarType.Float64);
                kernel.Step(0.1);
                script.Step(0.1);
            }

            TensorAssert.Close(twice.Tensor, single.Tensor, 5e-5, $"{rows} x {columns}");
            TensorAssert.Close(script.State()[0].Value, kernel.State()[0].Value, 1e-6, $"momentum of {rows} x {columns}");
        }
    }

    [Fact]
    public void Blocks_of_rows_in_stacks_are_found_in_place()
    {
        using var scope = NewDisposeScope();
        foreach (var blocks in new int[][] { [4, 4], [3, 5], [2, 2, 4] })
        {
            var start = randn(12, 8, 6, generator: new Generator(1));
            var gradient = randn(12, 8, 6, generator: new Generator(2));
            var (single, twice) = (Of(start.clone(), blocks), Of(start.to(ScalarType.Float64), blocks));
            (single.Tensor.grad, twice.Tensor.grad) = (gradient, gradient.to(ScalarType.Float64));
            using var kernel = new Muon([single], new MuonOptions());
            using var script = new Muon([twice], new MuonOptions());
            kernel.Step(0.1);
            script.Step(0.1);
            TensorAssert.Close(twice.Tensor, single.Tensor, 5e-5);
            TensorAssert.Close(script.State()[0].Value, kernel.State()[0].Value, 1e-6);
        }
    }

    [Fact]
    public void Neighbours_and_threads_leave_the_bits_of_a_matrix_alone()
    {
        using var scope = NewDisposeScope();
        float[][] Updated(int threads, params int[] seeds)
        {
            var before = get_num_threads();
            set_num_threads(threads);
            try
            {
                var parameter = Of(stack(seeds.Select(seed => randn(12, 20, generator: new Generator((ulong)seed))).ToArray()));
                using var muon = new Muon([parameter], new MuonOptions());
                for (var step = 0; step < 2; step++)
                {
                    parameter.Tensor.grad = stack(
                        seeds.Select(seed => randn(12, 20, generator: new Generator((ulong)(1000 * step + 100 + seed)))).ToArray()
                    );
                    muon.Step(0.1);
                }
                return [.. parameter.Tensor.data<float>().ToArray().Chunk(12 * 20)];
            }
            finally
            {
                set_num_threads(before);
            }
        }

        int[] seeds = [.. Enumerable.Range(0, 53)];
        var one = Updated(1, seeds);
        Assert.Equal(one, Updated(2, seeds));
        Assert.Equal(one.Reverse(), Updated(1, [.. seeds.Reverse()]));
        Assert.Equal(one[45..], Updated(1, seeds[45..]));
    }

    [Fact]
    public void Zero_stays_zero_and_every_size_of_a_gradient_counts_alike()
    {
        using var scope = NewDisposeScope();
        float[] sizes = [0, 1e-38f, 1e-30f, 1e-12f, 1, 1e12f, 1e30f, 1e37f];
        var parameter = Of(zeros(sizes.Length, 8, 20));
        var noise = randn(8, 20, generator: new Generator(3));
        parameter.Tensor.grad = stack(sizes.Select(size => noise * size).ToArray());
        using var muon = new Muon([parameter], new MuonOptions());
        muon.Step(1);
        TensorAssert.Zero(parameter.Tensor[0], "zero");
        for (var i = 2; i < sizes.Length; i++)
            Assert.True((parameter.Tensor[i] - parameter.Tensor[4]).abs().max().item<float>() < 1e-5f, $"{sizes[i]}");
        // Numbers that float32 has few digits for.
        Assert.True((parameter.Tensor[1] - parameter.Tensor[4]).abs().max().item<float>() < 1e-2f);
    }

    [Fact]
    public void Few_and_large_matrices_stay_with_the_script()
    {
        Assert.Equal(0, NewtonSchulzKernel.LanesFor(7, 48, 48));
        Assert.Equal(0, NewtonSchulzKernel.LanesFor(1000, 512, 256));
        Assert.Equal(0, NewtonSchulzKernel.LanesFor(1000, 1L << 32, 1L << 32));
        if (System.Runtime.Intrinsics.Vector256.IsHardwareAccelerated)
            Assert.NotEqual(0, NewtonSchulzKernel.LanesFor(8, 48, 48));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MuonOptions { NewtonSchulz = new NewtonSchulz(default, default) }.Validated());
    }

    private static float[][] Orthogonalized(float[][] matrices, int rows, int columns, int lanes, NewtonSchulz scheme)
    {
        using var room = new LaneMatrices(rows, columns, lanes);
        for (var lane = 0; lane < lanes; lane++)
            if (lane < matrices.Length)
                matrices[lane].CopyTo(room.Staged(lane));
            else
                room.Staged(lane).Clear();
        room.Scatter();
        NewtonSchulzKernel.Run(room, lanes, scheme);
        room.Gather();
        return [.. Enumerable.Range(0, matrices.Length).Select(lane => room.Staged(lane).ToArray())];
    }

    private static float[] Noise(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1)];
    }

    private static ModelParameter Of(Tensor value, params int[] blocks) =>
        new("p", new Parameter(value), ParameterRole.Matrix, default, blocks);
}
