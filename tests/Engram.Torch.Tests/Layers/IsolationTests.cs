using Engram.Models.Configuration;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>What a position may not see does not reach it: later positions, other documents, other sequences.</summary>
[OneThread]
public class IsolationTests
{
    private const int Length = 26;
    private static readonly int[] Documents = [0, 8, 9, 21, Length]; // starts of four documents, and the end

    // Every token goes to every expert: matrix products take other ways for few rows than for many, so the last bits of an expert's answer
    // depend on how many tokens share it. With the number fixed, bits are comparable; real routing is compared within rounding.
    private static ModelConfiguration Open { get; } = TinyModels.Full with { NumExpertsPerToken = 6 };

    private static ModelConfiguration Separate { get; } = Open with { AttentionDocumentMask = true };

    public static TheoryData<int, ScalarType> Positions()
    {
        var positions = new TheoryData<int, ScalarType>();
        foreach (var changed in new[] { 1, 9, 13, Length - 1 })
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
            positions.Add(changed, type);
        return positions;
    }

    [Theory, MemberData(nameof(Positions))]
    public void A_changed_token_leaves_everything_before_it_bit_identical(int changed, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Open, type);
        using var run = new TransformerRun(Open, 2, Length, type);
        var before = run.Hidden(model);
        Change(run, 0, changed, changed + 1, rowsTo: Math.Min(changed + 3, Length)); // the token, and its n-grams up to order 3
        var after = run.Hidden(model);
        TensorAssert.BitIdentical(before[0].narrow(0, 0, changed), after[0].narrow(0, 0, changed), "what precedes the change");
        TensorAssert.BitIdentical(before[1], after[1], "the other sequence");
        for (var t = changed; t < Length; t++)
            Assert.NotEqual(before[0, t].Values(), after[0, t].Values());
    }

    [Theory, MemberData(nameof(Positions))]
    public void A_changed_token_leaves_everything_before_it_equal_when_tokens_choose_experts(int changed, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Full, type);
        using var run = new TransformerRun(TinyModels.Full, 2, Length, type);
        var before = run.Hidden(model);
        Change(run, 0, changed, changed + 1, rowsTo: Math.Min(changed + 3, Length));
        var after = run.Hidden(model);
        // The order of the additions inside one product, amplified by two layers and by the slope of the signed root.
        var tolerance = type == ScalarType.Float32 ? 2e-5 : 1e-13;
        TensorAssert.Close(before[0].narrow(0, 0, changed), after[0].narrow(0, 0, changed), tolerance, "what precedes the change");
        TensorAssert.Close(before[1], after[1], tolerance, "the other sequence");
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Absorbed_attention_is_causal_too(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Open, type);
        using var run = new TransformerRun(Open, 1, Length, type);
        var before = run.Hidden(model, absorbed: true);
        Change(run, 0, 12, 13, rowsTo: 15);
        TensorAssert.BitIdentical(before.narrow(1, 0, 12), run.Hidden(model, absorbed: true).narrow(1, 0, 12));
    }

    [Fact]
    public void No_gradient_flows_to_later_positions()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Full);
        using var run = new TransformerRun(TinyModels.Full, 1, Length);
        run.Hidden(model)[0, 11].square().sum().backward();
        foreach (var layer in TinyModels.Engram.LayerIds)
        {
            var gradient = run.Memory!.Layer(layer)!.grad!;
            TensorAssert.Zero(gradient.narrow(1, 12, Length - 12), $"gradient of later rows of layer {layer}");
            for (var t = 0; t <= 11; t++)
                Assert.Contains(gradient[0, t].Values(), value => value != 0);
        }
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Changing_one_document_leaves_the_others_bit_identical(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Separate, type);
        using var run = Packed(Separate, type);
        var before = run.Hidden(model);
        Change(run, 0, Documents[2], Documents[3], rowsTo: Documents[3]);
        var after = run.Hidden(model);
        for (var d = 0; d < 4; d++)
        {
            var (was, now) = (
                before.narrow(1, Documents[d], Documents[d + 1] - Documents[d]),
                after.narrow(1, Documents[d], Documents[d + 1] - Documents[d])
            );
            if (d != 2)
                TensorAssert.BitIdentical(was, now, $"document {d}");
            else
                Assert.NotEqual(was.Values(), now.Values());
        }
    }

    [Fact]
    public void No_gradient_flows_to_other_documents()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(Separate);
        using var run = Packed(Separate, ScalarType.Float32);
        run.Hidden(model).narrow(1, Documents[2], Documents[3] - Documents[2]).square().sum().backward();
        foreach (var layer in TinyModels.Engram.LayerIds)
        {
            var gradient = run.Memory!.Layer(layer)!.grad!;
            TensorAssert.Zero(gradient.narrow(1, 0, Documents[2]), "gradient of earlier documents");
            TensorAssert.Zero(gradient.narrow(1, Documents[3], Length - Documents[3]), "gradient of later documents");
        }
    }

    [Theory]
    [InlineData(ScalarType.Float64, false, 1e-11), InlineData(ScalarType.Float64, true, 1e-11)]
    [InlineData(ScalarType.Float32, false, 1e-4)]
    public void Packed_documents_equal_separate_ones(ScalarType type, bool absorbed, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Separate, type);
        using var run = Packed(Separate, type);
        var packed = run.Hidden(model, absorbed);
        // Positions run on through the packed sequence, so rotations differ by a common angle, and products have other shapes: rounding of
        // the type, amplified by the slope of the signed root.
        for (var d = 0; d < 4; d++)
        {
            var (begin, end) = (Documents[d], Documents[d + 1]);
            TensorAssert.Close(run.HiddenOf(model, begin, end), packed.narrow(1, begin, end - begin), tolerance, $"document {d}");
        }
    }

    [Fact]
    public void Memory_and_convolution_of_packed_documents_are_bit_identical_to_those_of_separate_ones()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        const ScalarType type = ScalarType.Float32; // the kernels; tensor operations vectorise across positions and differ in the last bit
        var parameters = TinyModels.Parameters(type);
        var layer = new EngramFusion(TinyModels.Full, "e", parameters);
        Sample.Fill(parameters, 3);
        // Small multiples of powers of two make the projection exact in any order of additions; the kernels behind it work position by
        // position.
        var projection = parameters["e.wkv.weight"].Tensor;
        projection.copy_((projection * 8).round() / 8);
        var (streams, memory) = (Sample.Normal(1, type, 1, Length, 4, 16), Sample.Normal(2, type, 1, Length, 12).round());
        bool[] starts = [.. Enumerable.Range(0, Length).Select(t => Documents.Contains(t))];
        var packed = layer.Forward(streams, memory, Sample.Ages(starts, 1, Length), null, null);
        for (var d = 0; d < 4; d++)
        {
            var (begin, length) = (Documents[d], Documents[d + 1] - Documents[d]);
            var ages = Sample.Ages([], 1, length);
            var alone = layer.Forward(streams.narrow(1, begin, length), memory.narrow(1, begin, length), ages, null, null);
            TensorAssert.BitIdentical(alone, packed.narrow(1, begin, length), $"document {d}");
        }
    }

    [Fact]
    public void Without_the_switches_documents_see_each_other()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        void Differs(ModelConfiguration configuration)
        {
            using var model = TinyModels.Build(configuration, ScalarType.Float64);
            using var run = Packed(configuration, ScalarType.Float64);
            var difference = run.Hidden(model).narrow(1, Documents[3], Length - Documents[3]) - run.HiddenOf(model, Documents[3], Length);
            Assert.InRange(difference.abs().max().item<double>(), 1e-3, 100);
        }

        Differs(Separate with { AttentionDocumentMask = false });
        Differs(Separate with { Engram = TinyModels.Engram with { ResetAtDocuments = false } });
    }

    [Fact]
    public void Marks_do_not_matter_to_a_model_that_ignores_documents()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var configuration = TinyModels.Full with { Engram = TinyModels.Engram with { ResetAtDocuments = false } };
        using var model = TinyModels.Build(configuration);
        using var marked = Packed(configuration, ScalarType.Float32);
        using var plain = new TransformerRun(configuration, 1, Length);
        TensorAssert.BitIdentical(plain.Hidden(model), marked.Hidden(model));
    }

    private static TransformerRun Packed(ModelConfiguration configuration, ScalarType type) =>
        new(configuration, 1, Length, type) { Starts = [.. Enumerable.Range(0, Length).Select(t => Documents.Contains(t))] };

    /// <summary>Other tokens at the positions from begin to end of one sequence, and other rows from begin on.</summary>
    private static void Change(TransformerRun run, int sequence, int begin, int end, int rowsTo)
    {
        using var noGrad = no_grad();
        for (var t = begin; t < end; t++)
            run.Ids[sequence * Length + t] = (run.Ids[sequence * Length + t] + 1) % TinyModels.Full.VocabularySize;
        foreach (var layer in TinyModels.Engram.LayerIds)
            run.Memory!.Layer(layer)![sequence].narrow(0, begin, rowsTo - begin).add_(1);
    }
}
