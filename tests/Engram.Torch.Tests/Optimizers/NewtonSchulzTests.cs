using Engram.Training.Optimizers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Optimizers;

public class NewtonSchulzTests
{
    // One singular value s through the polynomials, in double precision.
    public static TheoryData<double, double, double> Golden =>
        new()
        {
            { 1e-5, 0.004849, 0.685827 },
            { 1e-4, 0.048473, 1.002015 },
            { 1e-3, 0.470544, 1.000001 },
            { 0.01, 0.698917, 1.000019 },
            { 0.05, 0.758120, 1.000183 },
            { 0.1, 0.712120, 1.000061 },
            { 0.3, 1.079592, 1.000130 },
            { 0.5, 0.765439, 1.000163 },
            { 0.7, 1.120323, 1.000467 },
            { 0.9, 0.682011, 1.000001 },
            { 1, 0.696436, 1.000014 },
        };

    [Theory, MemberData(nameof(Golden))]
    public void A_singular_value_ends_where_the_polynomials_take_it(double s, double jordan, double hybrid)
    {
        using var scope = NewDisposeScope();
        // Frobenius norm 1, so normalisation leaves the diagonal as it is.
        var matrix = diag(tensor(new[] { s, Math.Sqrt(1 - s * s) })).unsqueeze(0);
        Assert.Equal(jordan, TorchScript.Orthogonalize(matrix, NewtonSchulz.Jordan)[0, 0, 0].item<double>(), 2e-6);
        Assert.Equal(hybrid, TorchScript.Orthogonalize(matrix, NewtonSchulz.Hybrid)[0, 0, 0].item<double>(), 2e-6);
    }

    [Fact]
    public void One_round_at_one_gives_the_sum_of_the_coefficients()
    {
        using var scope = NewDisposeScope();
        var once = NewtonSchulz.Jordan with { First = NewtonSchulz.Jordan.First with { Count = 1 } };
        var matrix = diag(tensor(new[] { 1.0, 0.0 })).unsqueeze(0);
        Assert.Equal(3.4445 - 4.7750 + 2.0315, TorchScript.Orthogonalize(matrix, once)[0, 0, 0].item<double>(), 1e-6);
    }

    [Theory]
    [InlineData(16, 64), InlineData(64, 16), InlineData(24, 128)]
    public void Gaussian_matrices_of_aspect_ratio_four_end_in_the_stated_range(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var matrices = randn(8, rows, columns, generator: new Generator(7));
        var jordan = Singular(TorchScript.Orthogonalize(matrices, NewtonSchulz.Jordan));
        Assert.All(jordan, s => Assert.InRange(s, 0.6818, 1.1344));
        var hybrid = Singular(TorchScript.Orthogonalize(matrices, NewtonSchulz.Hybrid));
        Assert.All(hybrid, s => Assert.InRange(s, 1 - 3e-3, 1 + 3e-3));
    }

    [Fact]
    public void Hybrid_brings_singular_values_of_four_decades_to_one()
    {
        using var scope = NewDisposeScope();
        var values = logspace(-4, 0, 21, dtype: ScalarType.Float64);
        values = values / values.norm();
        values = values[values.ge(1e-4)];
        var size = values.size(0);
        var (u, v) = (Orthonormal(size, 1), Orthonormal(size, 2));
        var matrix = u.matmul(diag(values)).matmul(v);
        var found = Singular(TorchScript.Orthogonalize(matrix.unsqueeze(0), NewtonSchulz.Hybrid));
        Assert.All(found, s => Assert.InRange(s, 1 - 3e-3, 1 + 3e-3));
    }

    [Theory]
    [InlineData(1e-30f), InlineData(1e-12f), InlineData(1e12f), InlineData(1e30f)]
    public void The_size_of_the_input_does_not_matter(float size)
    {
        using var scope = NewDisposeScope();
        var matrices = randn(3, 8, 20, generator: new Generator(3));
        var expected = TorchScript.Orthogonalize(matrices, NewtonSchulz.Jordan);
        var actual = TorchScript.Orthogonalize(matrices * size, NewtonSchulz.Jordan);
        Assert.True((expected - actual).abs().max().item<float>() < 1e-5f);
    }

    [Fact]
    public void Transposing_the_input_transposes_the_output()
    {
        using var scope = NewDisposeScope();
        var matrices = randn(5, 12, 30, generator: new Generator(5));
        var wide = TorchScript.Orthogonalize(matrices, NewtonSchulz.Jordan);
        var tall = TorchScript.Orthogonalize(matrices.transpose(1, 2).contiguous(), NewtonSchulz.Jordan);
        Assert.True((wide - tall.transpose(1, 2)).abs().max().item<float>() < 1e-6f);
    }

    [Fact]
    public void A_stack_larger_than_a_batch_equals_its_matrices_one_by_one()
    {
        using var scope = NewDisposeScope();
        var matrices = randn(70, 48, 40, generator: new Generator(6));
        var together = TorchScript.Orthogonalize(matrices, NewtonSchulz.Jordan);
        for (var i = 0; i < 70; i++)
        {
            var alone = TorchScript.Orthogonalize(matrices.narrow(0, i, 1), NewtonSchulz.Jordan);
            Assert.True((together[i] - alone[0]).abs().max().item<float>() < 1e-5f);
        }
    }

    [Fact]
    public void Zero_stays_zero_and_leaves_its_neighbours_alone()
    {
        using var scope = NewDisposeScope();
        var matrices = randn(2, 6, 6, generator: new Generator(8));
        var alone = TorchScript.Orthogonalize(matrices.narrow(0, 1, 1), NewtonSchulz.Jordan);
        matrices[0].zero_();
        var result = TorchScript.Orthogonalize(matrices, NewtonSchulz.Jordan);
        Assert.Equal(0f, result[0].abs().max().item<float>());
        Assert.True((result[1] - alone[0]).abs().max().item<float>() < 1e-6f);
    }

    private static double[] Singular(Tensor matrices) => [.. linalg.svdvals(matrices.to(ScalarType.Float64)).flatten().data<double>()];

    private static Tensor Orthonormal(long size, ulong seed) =>
        linalg.qr(randn(size, size, dtype: ScalarType.Float64, generator: new Generator(seed))).Q;
}
