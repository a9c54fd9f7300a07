using Engram.Addressing;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using Engram.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Inference;

/// <summary>
/// One model folder, opened by both engines: random weights, tables and taps, away from their starting values, or those of a training.
/// </summary>
internal sealed class InferenceModels : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public InferenceModels(ModelConfiguration configuration, MemoryOptions? options = null)
        : this(RandomModel.Create(configuration), options) { }

    private InferenceModels(LanguageModel torch, MemoryOptions? options)
    {
        Torch = torch;
        Torch.Save(Folder);
        Managed = EngramModel.Open(Folder, options, threads: 2);
    }

    /// <summary>Weights, router biases and tables after some updates from the starting values.</summary>
    public static InferenceModels Trained(ModelConfiguration configuration, int updates)
    {
        var options = TinyRun.Options with { LearningRate = 1e-2 };
        var model = LanguageModel.Create(configuration, TinyCorpus.Shared.Tokenizer, options.Seed);
        using (var step = new TrainingStep(model, options))
        {
            var batch = new StepBatch(options.Sequences, options.Length);
            var sampler = new BatchSampler(TinyCorpus.Shared, options.Length, (ulong)options.Seed);
            for (var update = 1; update <= updates; update++)
            {
                sampler.Next(batch.Tokens);
                model.Memory?.Address(batch.Tokens.Inputs, batch.Tokens.DocumentStarts, batch.Tokens.Sequences, batch.Rows);
                Assert.Null(step.Update(batch, options.LearningRate).NonFinite);
            }
        }

        return new InferenceModels(model, options: null);
    }

    public static Dictionary<string, ModelConfiguration> Configurations { get; } = Named();

    public string Folder => _folder.File("model");

    public LanguageModel Torch { get; }

    public EngramModel Managed { get; }

    public int Vocabulary => Managed.Configuration.VocabularySize;

    /// <summary>
    /// Random ids of the tokenizer; every eighth begins a document, and some are dead where the configuration has dead tokens.
    /// </summary>
    public int[] Ids(int count, int seed)
    {
        var random = new Random(seed);
        var (start, dead) = (Managed.Configuration.StartTokenId!.Value, Managed.Configuration.Engram?.DeadTokenIds ?? []);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                    random.Next(8) switch
                    {
                        0 => start,
                        1 when dead.Count > 0 => dead[random.Next(dead.Count)],
                        _ => random.Next(Managed.Tokenizer.VocabularySize),
                    }
                ),
        ];
    }

    /// <summary>Logits [T, V] of a whole sequence, by the way that training takes.</summary>
    public float[] Expected(int[] ids, bool memory = true) => Expected(Torch, ids, memory);

    /// <inheritdoc cref="Expected(int[], bool)"/>
    public static float[] Expected(LanguageModel model, int[] ids, bool memory = true)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var starts = model.Transformer.Documents.Starts(ids);
        using var gathered = memory ? model.GatherMemory(ids, starts, 1) : null;
        return model.Transformer.Logits(model.Transformer.Forward(ids, starts, 1, gathered).Hidden).data<float>().ToArray();
    }

    /// <summary>Logits [T, V] of a whole sequence in one call.</summary>
    public float[] Whole(int[] ids, bool memory = true)
    {
        var logits = new float[ids.Length * Vocabulary];
        Managed.Read(memory ? Managed.NewSequence() : Managed.NewSequence(memory: null), ids, logits);
        return logits;
    }

    public void Dispose()
    {
        Torch.Dispose();
        Managed.Dispose();
        _folder.Dispose();
    }

    private static Dictionary<string, ModelConfiguration> Named()
    {
        var dead = Enumerable.Range(0, 30).Select(i => 10 * i + 3).ToArray();
        var full = TinyRun.Configuration;
        var models = new Dictionary<string, ModelConfiguration>
        {
            ["V4.1, dead positions"] = TinyRun.V41(dead),
            ["dead positions, convolution"] = TinyRun.WithMemory(memory => memory with { DeadTokenIds = dead }),
            ["one stream"] = full with { HcMult = 1 },
            ["unconstrained streams, learnt exit"] = full with { HcConstrained = false, HcExit = StreamExit.Head },
            ["fused with the mixture"] = TinyRun.WithMemory(memory => memory with { Fusion = FusionPlace.Mixture }),
            ["OverEncoding"] = TinyRun.WithMemory(memory =>
                memory with
                {
                    LayerIds = [0],
                    Fusion = FusionPlace.Input,
                    Gate = EngramGate.None,
                    ConvKernel = 0,
                    CompressVocabulary = false,
                    Hash = HashScheme.Polynomial,
                    SlotsPerOrder = [401, 403],
                }
            ),
            ["biases, dead positions"] = TinyRun.WithMemory(memory => memory with { ProjectionBias = true, DeadTokenIds = dead }),
            ["single tokens"] = TinyRun.WithMemory(memory => memory with { MinNgramSize = 1, SlotsPerOrder = [331, 41, 41] }),
            ["documents in attention"] = full with { AttentionDocumentMask = true },
            ["memory across documents"] = TinyRun.WithMemory(memory => memory with { ResetAtDocuments = false }),
            ["gate sigmoid, no convolution"] = TinyRun.WithMemory(memory => memory with { Gate = EngramGate.Sigmoid, ConvKernel = 0 }),
            ["no gate"] = TinyRun.WithMemory(memory => memory with { Gate = EngramGate.None }),
            ["one row"] = TinyRun.WithMemory(memory => memory with { OneRow = true }),
            ["softmax router, gates as they are, scaled"] = full with
            {
                ScoringFunction = ScoringFunction.Softmax,
                NormTopkProb = false,
                RoutedScalingFactor = 1.7,
            },
            ["softplus router in groups, no shared expert"] = full with
            {
                ScoringFunction = ScoringFunction.SqrtSoftplus,
                NRoutedExperts = 8,
                NGroup = 4,
                TopkGroup = 2,
                NSharedExperts = 0,
            },
            ["low-rank query, extended context"] = full with
            {
                QLoraRank = 7,
                MaxPositionEmbeddings = 640,
                RopeScaling = new RopeScaling { Factor = 10, OriginalMaxPositionEmbeddings = 64 },
            },
        };
        foreach (
            var preset in Presets.Names.Where(name =>
                name.StartsWith("tiny", StringComparison.Ordinal)
                || name.StartsWith("quickstart", StringComparison.Ordinal)
                || name.StartsWith("small", StringComparison.Ordinal)
            )
        )
            models.Add(preset, Presets.Load(preset));
        return models;
    }
}
