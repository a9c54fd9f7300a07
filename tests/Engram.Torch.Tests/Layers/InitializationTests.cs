using System.Text.RegularExpressions;
using Engram.Models.Configuration;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Measures what a new model holds against the table of starting values in <see cref="ModelParameters.Initialize"/>.</summary>
[OneThread]
public partial class InitializationTests
{
    private const double Std = 0.02;

    [Fact]
    public void Every_parameter_starts_from_its_distribution()
    {
        using var scope = NewDisposeScope();
        using var model = new EngramTransformer(
            Presets.Load("tiny") with
            {
                QLoraRank = 24,
                InitializerRange = Std,
                Engram = TinyModels.Engram with { LayerIds = [1, 2], HeadDim = 16 },
            }
        );
        foreach (var parameter in model.Parameters.All)
            parameter.Tensor.detach().fill_(double.NaN); // nothing may be left as it was
        model.Parameters.Initialize(3);
        var (normal, constant, bias) = (0, 0, 0);
        foreach (var parameter in model.Parameters.All)
        {
            var values = parameter.Tensor.Values();
            if (Matrices().IsMatch(parameter.Name))
            {
                NormallyDistributed(parameter.Name, values);
                normal++;
            }
            else if (parameter.Name.EndsWith("_base"))
            {
                AssertStartingBase(parameter.Name, values);
                bias++;
            }
            else
            {
                var expected =
                    Gains().IsMatch(parameter.Name) ? 1
                    : Zeros().IsMatch(parameter.Name) ? 0
                    : parameter.Name.EndsWith("_scale") ? 0.01f
                    : throw new InvalidOperationException($"The table does not cover {parameter.Name}.");
                Assert.All(values, value => Assert.Equal(expected, (float)value));
                constant++;
            }
        }

        // Embedding and head; per layer five attention matrices and two of the dense or shared network; per expert layer three more; two
        // memories.
        Assert.Equal(2 + 4 * 7 + 3 * 3 + 2, normal);
        Assert.Equal(8, bias);
        Assert.Equal(model.Parameters.All.Count, normal + constant + bias);
    }

    [Fact]
    public void Experts_and_rows_are_not_copies_of_each_other()
    {
        using var scope = NewDisposeScope();
        using var model = new EngramTransformer(Presets.Load("tiny"));
        model.Parameters.Initialize(3);
        var experts = model.Parameters["model.layers.1.mlp.experts.gate_up_proj"].Tensor;
        var first = model.Parameters["model.layers.1.self_attn.q_proj.weight"].Tensor;
        Assert.NotEqual(experts[0].Values(), experts[1].Values());
        Assert.NotEqual(first[0].Values(), first[1].Values());
        Assert.NotEqual(first.Values(), model.Parameters["model.layers.2.self_attn.q_proj.weight"].Tensor.Values());
    }

    private static void NormallyDistributed(string name, double[] values)
    {
        var n = values.Length;
        var mean = values.Average();
        var std = Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
        // Some forty tensors of fixed seeds: four and a half standard errors of the mean (σ/√n), of the standard deviation (σ/√2n) and of
        // the share inside one standard deviation (68.27 %, √(p(1−p)/n)).
        Assert.True(Math.Abs(mean) <= 4.5 * Std / Math.Sqrt(n), $"{name}: mean {mean}");
        Assert.True(Math.Abs(std - Std) <= 4.5 * Std / Math.Sqrt(2 * n), $"{name}: standard deviation {std}");
        var inside = values.Count(v => Math.Abs(v) < Std) / (double)n;
        Assert.True(
            Math.Abs(inside - 0.6827) <= 4.5 * Math.Sqrt(0.6827 * 0.3173 / n),
            $"{name}: share inside one standard deviation {inside}"
        );
    }

    private static void AssertStartingBase(string name, double[] values)
    {
        // Running sub-layer index: attention of layer ℓ is 2ℓ, feed-forward 2ℓ + 1; that stream is read most.
        var layer = int.Parse(LayerNumber().Match(name).Groups[1].ValueSpan);
        var index = 2 * layer + (name.Contains("hc_ffn") ? 1 : 0);
        var expected = new List<double>();
        for (var m = 0; m < 4; m++)
            expected.Add(m == index % 4 ? 1 : -1);
        expected.AddRange([0, 0, 0, 0]);
        for (var source = 0; source < 4; source++)
        for (var destination = 0; destination < 4; destination++)
            expected.Add(source == destination ? 0 : -8);
        Assert.Equal(expected, values);
    }

    [GeneratedRegex(@"embed_tokens|lm_head|_proj(_with_mqa)?(\.weight)?$|mlp\.gate\.weight$|engram\.wkv")]
    private static partial Regex Matrices();

    [GeneratedRegex(@"norm\.weight$|engram\.[qk]_weight$")]
    private static partial Regex Gains();

    [GeneratedRegex(@"engram\.conv\.weight$|hc_(attn|ffn)_fn$")]
    private static partial Regex Zeros();

    [GeneratedRegex(@"layers\.(\d+)\.")]
    private static partial Regex LayerNumber();
}
