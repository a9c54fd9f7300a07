using System.Text.Json.Nodes;
using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Tables.Training;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>Every variant that the paper ablates is a configuration, and learns.</summary>
public sealed class VariantTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Dictionary<string, ModelConfiguration> Variants { get; } =
        new()
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
            ["biases"] = Memory(memory => memory with { ProjectionBias = true }),
            ["another hash seed"] = Memory(memory => memory with { Seed = 7 }),
            ["OverEncoding"] = OverEncoding,
            ["bigram table"] = Memory(memory => Plain(memory) with { MaxNgramSize = 2, SlotsPerOrder = [331] }),
            ["bigram and trigram table"] = Memory(Plain),
            ["token table of each layer"] = Memory(memory =>
                Plain(memory) with
                {
                    MinNgramSize = 1,
                    MaxNgramSize = 1,
                    NHeads = 1,
                    SlotsPerOrder = [512],
                }
            ),
            ["single tokens beside n-grams"] = Memory(memory => memory with { MinNgramSize = 1, SlotsPerOrder = [331, 41, 41] }),
            ["wider feed-forward, no memory"] = TinyRun.Configuration with { Engram = null, SharedExpertIntermediateSize = 100 },
        };

    public static TheoryData<string> Names => [.. Variants.Keys];

    private static TrainingOptions TenUpdates { get; } =
        TinyRun.Options with
        {
            Steps = 10,
            LearningRate = 1e-2,
            ValidateEvery = 0,
            ValidationSequences = 2,
            CheckpointEvery = 0,
        };

    [Theory, MemberData(nameof(Names))]
    public void Ten_updates_lower_the_loss(string name) => AssertLearns(Variants[name], TenUpdates);

    [Theory]
    [InlineData(TableOptimizer.Adam)]
    [InlineData(TableOptimizer.DenseAdam)]
    [InlineData(TableOptimizer.DeferredAdam)]
    [InlineData(TableOptimizer.Adagrad)]
    [InlineData(TableOptimizer.Sinkhorn)]
    public void Ten_updates_lower_the_loss_with_every_table_optimizer(TableOptimizer optimizer) =>
        AssertLearns(TinyRun.Configuration, TenUpdates with { TableOptimizer = optimizer });

    [Fact]
    public void Ten_updates_lower_the_loss_without_Muon() =>
        AssertLearns(TinyRun.Configuration, TenUpdates with { MatrixOptimizer = MatrixOptimizer.AdamW });

    private void AssertLearns(ModelConfiguration configuration, TrainingOptions options)
    {
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(_folder.File("run"), options) with { Configuration = configuration }));
        double[] losses =
        [
            .. TinyRun
                .Metrics(_folder.File("run"))
                .Select(line => JsonNode.Parse(line)!["loss"])
                .OfType<JsonNode>()
                .Select(loss => loss.GetValue<double>()),
        ];
        Assert.Equal(10, losses.Length);
        Assert.True(losses[^1] < losses[0] - 0.2, string.Join(", ", losses));
    }

    /// <summary>The arXiv paper 2501.16975: raw ids, polynomial codes, the mean with the token's embedding.</summary>
    private static ModelConfiguration OverEncoding =>
        Memory(memory =>
            memory with
            {
                LayerIds = [0],
                Fusion = FusionPlace.Input,
                Gate = EngramGate.None,
                ConvKernel = 0,
                CompressVocabulary = false,
                Hash = HashScheme.Polynomial,
                SlotsPerOrder = [401, 401],
            }
        );

    /// <summary>Hashed rows for the values of attention, without a gate (karpathy/nanochat, pull request 854).</summary>
    private static EngramConfiguration Plain(EngramConfiguration memory) =>
        memory with
        {
            Fusion = FusionPlace.Values,
            Gate = EngramGate.None,
            ConvKernel = 0,
        };

    private static ModelConfiguration Memory(Func<EngramConfiguration, EngramConfiguration> change) =>
        TinyRun.WithMemory(memory => change(memory with { TableInitStd = 0.02 }));
}
