using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Storage;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>Runs that begin with a finished model: continued, extended, partly frozen, lengthened.</summary>
public sealed class InitTests(InitTests.BaseRun begun) : IClassFixture<InitTests.BaseRun>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string BaseModel => begun.Result.ModelFolder;

    /// <summary>
    /// A loss before any update is that of the model that the run begins with: no weight, table or bias is lost on the way.
    /// </summary>
    [Theory, InlineData(TableLocation.Memory), InlineData(TableLocation.Mapped)]
    public void A_run_begins_with_the_weights_of_a_model(TableLocation tables)
    {
        var source = TinyRun.Files(BaseModel);
        // A step of 1e-12 moves no weight by more than a unit in its last place; balancing biases have steps of their own.
        var result = TinyRun.Train(
            Continued(
                "next",
                TinyRun.Options with
                {
                    Steps = 1,
                    LearningRate = 1e-12,
                    Tables = tables,
                    Frozen = ["*.e_score_correction_bias"],
                }
            )
        )!;
        Assert.Equal(begun.Result.ValidationLoss, result.ValidationLoss, 1e-5);
        Assert.Equal(source, TinyRun.Files(BaseModel));
    }

    [Theory, InlineData(TableLocation.Memory), InlineData(TableLocation.Mapped)]
    public void Interrupted_anywhere_it_equals_the_uninterrupted_run(TableLocation tables)
    {
        var options = TinyRun.Options with { Steps = 3, CheckpointEvery = 0, Tables = tables };
        var whole = TinyRun.Train(Continued("whole", options))!;
        TinyRun.Crash(Continued("cut", options), stop: 1);
        Assert.Equal(["00000000"], Checkpoints("cut"));
        // The model it began with is needed no more.
        var resumed = TinyRun.Train(Continued("cut", options) with { Init = null, Resume = true })!;
        TinyRun.AssertSameFiles(whole.ModelFolder, resumed.ModelFolder);
        Assert.Equal(TinyRun.Metrics(_folder.File("whole")), TinyRun.Metrics(_folder.File("cut")));
    }

    [Fact]
    public void A_longer_context_is_trained_and_kept()
    {
        var configuration = ContextExtension.Extend(ModelConfiguration.Load(Path.Combine(BaseModel, "config.json")), 640, original: 64);
        var setup = Continued("long", TinyRun.Options with { Steps = 2, Sequences = 1, Length = 320 }) with
        {
            Configuration = configuration,
        };
        Assert.Equal(configuration, ModelConfiguration.Load(Path.Combine(TinyRun.Train(setup)!.ModelFolder, "config.json")));
    }

    [Fact]
    public void Frozen_parts_keep_their_bits_and_the_others_learn()
    {
        string[] frozen =
        [
            "model.embed_tokens.weight",
            "model.layers.1.*",
            "model.layers.2.mlp.*",
            "model.layers.0.input_layernorm.weight",
        ];
        var options = TinyRun.Options with { Steps = 3, Frozen = frozen };
        var result = TinyRun.Train(Continued("frozen", options))!;
        var changed = Changed(BaseModel, result.ModelFolder);
        Assert.DoesNotContain(
            changed,
            name =>
                name.StartsWith("model.layers.1.", StringComparison.Ordinal)
                || name.StartsWith("model.layers.2.mlp.", StringComparison.Ordinal)
        );
        Assert.DoesNotContain("model.embed_tokens.weight", changed);
        Assert.DoesNotContain("model.layers.0.input_layernorm.weight", changed);
        foreach (
            var learnt in new[]
            {
                "model.layers.2.engram.embed.weight",
                "model.layers.2.self_attn.o_proj.weight",
                "model.layers.0.self_attn.kv_b_proj.weight",
                "lm_head.weight",
            }
        )
            Assert.Contains(learnt, changed);

        // What is frozen has no moments, and a cut changes nothing.
        Assert.Null(TinyRun.Train(Continued("cut", options), stop: 2));
        using (var moments = SafetensorsFile.Open(_folder.File("cut/checkpoints/00000002/training/optimizer.safetensors")))
            Assert.DoesNotContain(moments.Tensors.Keys, name => name.StartsWith("model.layers.1.", StringComparison.Ordinal));
        TinyRun.AssertSameFiles(result.ModelFolder, TinyRun.Train(Continued("cut", options) with { Resume = true })!.ModelFolder);
    }

    [Fact]
    public void Tables_alone_may_be_trained()
    {
        string[] others = [.. Tensors(BaseModel).Keys.Where(name => !name.EndsWith("engram.embed.weight", StringComparison.Ordinal))];
        var result = TinyRun.Train(Continued("tables", TinyRun.Options with { Steps = 2, Frozen = others }))!;
        Assert.Equal(["model.layers.1.engram.embed.weight", "model.layers.2.engram.embed.weight"], Changed(BaseModel, result.ModelFolder));
    }

    [Theory]
    [InlineData("model.layers.9.*", "Frozen is model.layers.9.*; it must name parameters")]
    [InlineData("model.layers.1.mlp.experts.3.*", "are trained as one")]
    [InlineData("model.layers.1.mlp.shared_experts.gate_proj.weight", "up_proj.weight are trained as one")]
    [InlineData("*", "it leaves nothing to train")]
    public void Frozen_names_that_cannot_be_are_refused(string pattern, string reason)
    {
        Assert.Contains(
            reason,
            Assert
                .Throws<TrainingOptionException>(() =>
                    TinyRun.Train(Continued("wrong", TinyRun.Options with { Steps = 1, Frozen = [pattern] }))
                )
                .Message
        );
        Assert.NotNull(TinyRun.Train(Continued("wrong", TinyRun.Options with { Steps = 1 })));
    }

    [Fact]
    public void A_model_of_another_tokenizer_is_refused()
    {
        var error = Assert.Throws<InvalidDataException>(() =>
            TinyRun.Train(Continued("other", TinyRun.Options) with { Corpus = TinyCorpus.Other })
        );
        Assert.Contains("tokenizer", error.Message);
    }

    /// <summary>A finished run goes on from its model, over data that it has not seen, and can be interrupted as any other.</summary>
    [Theory, InlineData(TableLocation.Memory), InlineData(TableLocation.Mapped)]
    public void A_finished_run_can_be_lengthened(TableLocation tables)
    {
        var options = TinyRun.Options with { Steps = 3, CheckpointEvery = 0, Tables = tables };
        var longer = options with { Steps = 6 };
        foreach (var run in new[] { "whole", "cut" })
            TinyRun.Train(TinyRun.Setup(_folder.File(run), options));
        var notes = new List<string>();
        var whole = Trainer.Run(TinyRun.Setup(_folder.File("whole"), longer, resume: true), note: notes.Add);
        Assert.Contains("goes on to 6", Assert.Single(notes));
        Assert.Equal((6, 6 * 32), (whole.Steps, whole.Tokens));
        Assert.Equal(6, TinyRun.Metrics(_folder.File("whole")).Count(line => line.Contains("\"loss\"")));

        TinyRun.Crash(TinyRun.Setup(_folder.File("cut"), longer, resume: true), stop: 4);
        Assert.Equal(["00000003"], Checkpoints("cut"));
        Assert.False(File.Exists(_folder.File("cut/result.json")));
        var resumed = TinyRun.Train(TinyRun.Setup(_folder.File("cut"), longer, resume: true))!;
        TinyRun.AssertSameFiles(whole.ModelFolder, resumed.ModelFolder);
        Assert.Equal(TinyRun.Metrics(_folder.File("whole")), TinyRun.Metrics(_folder.File("cut")));
    }

    [Fact]
    public void An_unfinished_run_can_be_lengthened_but_not_shortened()
    {
        var run = _folder.File("run");
        Assert.Null(TinyRun.Train(TinyRun.Setup(run), stop: 4));
        Assert.Contains(
            "a run of 9 updates (train.json) and cannot be shortened to 8; give at least 9",
            Assert
                .Throws<InvalidDataException>(() => TinyRun.Train(TinyRun.Setup(run, TinyRun.Options with { Steps = 8 }, resume: true)))
                .Message
        );
        Assert.Equal(12, TinyRun.Train(TinyRun.Setup(run, TinyRun.Options with { Steps = 12 }, resume: true))!.Steps);
        Assert.Equal(12, TrainingOptions.FromJson(File.ReadAllText(Path.Combine(run, "train.json")), "train.json").Steps);
    }

    private TrainingSetup Continued(string run, TrainingOptions options) =>
        TinyRun.Setup(_folder.File(run), options) with
        {
            Init = BaseModel,
            Configuration = ModelConfiguration.Load(Path.Combine(BaseModel, "config.json")),
        };

    private string[] Checkpoints(string run) =>
        !Directory.Exists(_folder.File(run + "/checkpoints"))
            ? []
            :
            [
                .. Directory
                    .GetDirectories(_folder.File(run + "/checkpoints"))
                    .Select(folder => Path.GetFileName(folder))
                    .Order(StringComparer.Ordinal),
            ];

    /// <summary>Names of the tensors of two model folders whose bytes differ.</summary>
    private static string[] Changed(string before, string after)
    {
        var (first, second) = (Tensors(before), Tensors(after));
        Assert.Equal(first.Keys, second.Keys);
        return [.. first.Where(tensor => !tensor.Value.AsSpan().SequenceEqual(second[tensor.Key])).Select(tensor => tensor.Key)];
    }

    private static SortedDictionary<string, byte[]> Tensors(string folder)
    {
        var tensors = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(folder, "*.safetensors", SearchOption.AllDirectories))
        {
            using var file = SafetensorsFile.Open(path);
            foreach (var name in file.Tensors.Keys)
                tensors.Add(name, file.Bytes(name).ToArray());
        }
        return tensors;
    }

    /// <summary>The finished run whose model the others begin with.</summary>
    public sealed class BaseRun : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public BaseRun() => Result = TinyRun.Train(TinyRun.Setup(_folder.File("base"), TinyRun.Options with { Steps = 2 }))!;

        public TrainingResult Result { get; }

        public void Dispose() => _folder.Dispose();
    }
}
