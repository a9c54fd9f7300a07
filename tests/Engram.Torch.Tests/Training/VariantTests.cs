using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Training;

/// <summary>Every variant that the paper ablates is a configuration, and learns.</summary>
public sealed class VariantTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Dictionary<string, ModelConfiguration> Variants { get; } = new()
    {
        ["reference"] = TinyRun.Configuration,
        ["no compression"] = Memory(memory => memory with { CompressVocabulary = false }),
        ["one fusion"] = Memory(memory => memory with { Fusion = FusionPlace.Mixture }),
        ["no gate"] = Memory(memory => memory with { Gate = EngramGate.None }),
        ["no convolution"] = Memory(memory => memory with { ConvKernel = 0 }),
        ["4-grams"] = Memory(memory => memory with { MaxNgramSize = 4, SlotsPerOrder = [41, 41, 41] }),
        ["one row"] = Memory(memory => memory with { OneRow = true }),
        ["plain sigmoid"] = Memory(memory => memory with { Gate = EngramGate.Sigmoid }),
        ["random tables, frozen"] = Memory(memory => memory with { TableInitStd = 0.1, Tables = EngramTables.Frozen }),
        ["unconstrained streams"] = TinyRun.Configuration with { HcConstrained = false },
        ["learnt exit"] = TinyRun.Configuration with { HcExit = StreamExit.Head },
        ["plain residual"] = TinyRun.Configuration with { HcMult = 1 },
        ["V4.1"] = TinyRun.V41(),
    };

    public static TheoryData<string> Names => [.. Variants.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Ten_updates_lower_the_loss(string name)
    {
        var options = TinyRun.Options with { Steps = 10, LearningRate = 1e-2, ValidateEvery = 0, ValidationSequences = 2, CheckpointEvery = 0 };
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(_folder.File("run"), options) with { Configuration = Variants[name] }));
        double[] losses = [.. TinyRun.Metrics(_folder.File("run")).Select(line => JsonNode.Parse(line)!["loss"]).OfType<JsonNode>().Select(loss => loss.GetValue<double>())];
        Assert.Equal(10, losses.Length);
        Assert.True(losses[^1] < losses[0] - 0.2, string.Join(", ", losses));
    }

    private static ModelConfiguration Memory(Func<EngramConfiguration, EngramConfiguration> change) => TinyRun.WithMemory(memory => change(memory with { TableInitStd = 0.02 }));
}
