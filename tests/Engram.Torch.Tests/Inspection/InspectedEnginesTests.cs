using Engram.Evaluation.Inspection;
using Engram.Evaluation.Layers;
using Engram.Models.Memory;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Inspection;

/// <summary>Both engines answer an inspection with the same values, in every configuration with memory.</summary>
[OneThread]
public sealed class InspectedEnginesTests
{
    private const string Text = "It starred Hicks's wife, Ellaline Terriss and Edmund Payne.";

    public static TheoryData<string> Names =>
        [.. InferenceModels.Configurations.Where(named => named.Value.Engram is not null).Select(named => named.Key)];

    [Theory, MemberData(nameof(Names))]
    public void Readings_of_random_models_are_equal(string name)
    {
        using var models = new InferenceModels(InferenceModels.Configurations[name]);
        // more than the managed engine reads at once, starts and dead positions among them
        AssertEqual(models, models.Ids(name.StartsWith("small", StringComparison.Ordinal) ? 20 : 80, seed: 5), name);
    }

    [Theory, MemberData(nameof(Names))]
    public void Readings_of_trained_models_are_equal(string name)
    {
        var small = name.StartsWith("small", StringComparison.Ordinal);
        using var models = InferenceModels.Trained(InferenceModels.Configurations[name], updates: small ? 2 : 8);
        AssertEqual(models, [0, .. models.Managed.Tokenizer.Encode(Text)[..16]], name);
    }

    [Theory]
    [InlineData("tiny-engram")]
    [InlineData("fused with the mixture")]
    [InlineData("dead positions, convolution")]
    [InlineData("no gate")]
    public void What_is_left_out_is_missed_alike(string name)
    {
        using var models = new InferenceModels(InferenceModels.Configurations[name]);
        var (torch, managed) = (Torch(models), Managed(models));
        foreach (var rows in Enum.GetValues<SuppressedRow>())
        {
            var expected = LeaveOneOut.Run(torch, Text, torch.Memory!, rows);
            var found = LeaveOneOut.Run(managed, Text, managed.Memory!, rows);
            Assert.Equal(expected.TokenIds, found.TokenIds);
            Assert.Equal(expected.Parts.Select(part => part.Part), found.Parts.Select(part => part.Part));
            AssertClose(expected.Loss, found.Loss, 1e-4f, "loss");
            Assert.All(expected.Parts.Zip(found.Parts), pair => AssertClose(pair.First.Nats, pair.Second.Nats, 1e-4f, pair.First.Part));
            Assert.All(expected.Parts, part => Assert.Contains(part.Nats, nats => Math.Abs(nats) > 1e-3));
        }
    }

    [Fact]
    public void Gates_are_counted_alike_and_shown_alike()
    {
        using var models = new InferenceModels(InferenceModels.Configurations["tiny-engram"]);
        var (torch, managed) = (Torch(models), Managed(models));
        var texts = SampledTokens.Of(TinyCorpus.Shared, sequences: 3, length: 64).ToList();
        var (expected, found) = (
            GateHistogram.Measure(torch, torch.Memory!, texts, bins: 2),
            GateHistogram.Measure(managed, managed.Memory!, texts, bins: 2)
        );
        Assert.Equal(expected.Select(of => (of.Layer, of.Stream)), found.Select(of => (of.Layer, of.Stream)));
        Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First.Mean, pair.Second.Mean, 1e-5));
        // A gate within a rounding of the middle may fall into either half.
        Assert.All(expected.Zip(found), pair => Assert.InRange(pair.First.Counts[0] - pair.Second.Counts[0], -1, 1));

        var (one, other) = (MemoryInspection.Run(torch, Text, torch.Memory), MemoryInspection.Run(managed, Text, managed.Memory));
        Assert.Equal(one.TokenIds, other.TokenIds);
        Assert.Equal(one.CanonicalIds, other.CanonicalIds);
        Assert.All(one.Layers.Zip(other.Layers), pair => Assert.Equal(pair.First.Rows, pair.Second.Rows));
    }

    private static InspectedTorchModel Torch(InferenceModels models) => new(models.Torch);

    private static InspectedManagedModel Managed(InferenceModels models) => new(models.Managed);

    private static void AssertEqual(InferenceModels models, int[] ids, string name)
    {
        var (torch, managed) = (Torch(models), Managed(models));
        var (expected, found) = (torch.Read(ids, torch.Memory!), managed.Read(ids, managed.Memory!));
        Assert.Equal(torch.Memory!.LayerIds.Count, expected.Count);
        Assert.Equal(expected.Count, found.Count);
        foreach (var (one, other) in expected.Zip(found))
        {
            Assert.Equal(one.Memory, other.Memory);
            AssertClose(one.HiddenIn, other.HiddenIn, 1e-4f * one.HiddenIn.Max(Math.Abs), $"{name}, hidden states");
            AssertClose(one.Gate, other.Gate, 1e-4f, $"{name}, gates");
            AssertClose(one.Output, other.Output, 1e-4f * one.Output.Max(Math.Abs), $"{name}, outputs");
            Assert.Contains(one.Output, value => value != 0);
        }
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(worst <= tolerance, $"{what}: a difference of {worst} where {tolerance} is allowed");
    }
}
