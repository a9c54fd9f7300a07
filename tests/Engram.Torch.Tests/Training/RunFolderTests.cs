using Engram.Tests.Storage;
using Engram.Torch.Native;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>What a run folder refuses, each with one error that says what to do.</summary>
public sealed class RunFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Folder_with_a_run_is_not_trained_into_again()
    {
        Begin();
        Assert.Contains(
            "already holds a run: resume it",
            Assert.Throws<InvalidOperationException>(() => TinyRun.Train(TinyRun.Setup(Run))).Message
        );
    }

    [Fact]
    public void Other_options_are_named_with_both_values()
    {
        Begin();
        var error = Assert.Throws<InvalidDataException>(() =>
            TinyRun.Train(TinyRun.Setup(Run, TinyRun.Options with { LearningRate = 0.5, Seed = 9 }, resume: true))
        );
        Assert.Contains("train.json", error.Message);
        Assert.Contains("learning_rate 0.003 is now 0.5, seed 1 is now 9.", error.Message);
    }

    [Fact]
    public void Another_configuration_is_named_with_both_values()
    {
        Begin();
        var other = TinyRun.Setup(Run, resume: true) with { Configuration = TinyRun.Configuration with { HiddenSize = 32, Engram = null } };
        var error = Assert.Throws<InvalidDataException>(() => TinyRun.Train(other));
        Assert.Contains("config.json", error.Message);
        Assert.Contains("hidden_size 64 is now 32", error.Message);
        Assert.Contains("engram_layer_ids [1,2] is now null", error.Message);
    }

    [Fact]
    public void Other_data_are_named_with_both_sources()
    {
        Begin();
        var error = Assert.Throws<InvalidDataException>(() =>
            TinyRun.Train(TinyRun.Setup(Run, resume: true) with { Corpus = TinyCorpus.Other })
        );
        Assert.Contains(TinyCorpus.Shared.Summary.Source, error.Message);
        Assert.Contains(TinyCorpus.Other.Summary.Source, error.Message);
    }

    [Fact]
    public void Same_data_elsewhere_are_the_same_data()
    {
        Assert.Null(TinyRun.Train(TinyRun.Setup(Run), stop: 1));
        using var copy = TinyCorpus.Prepare(_folder.File("copy"), TinyCorpus.Shared.Summary.Source);
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(Run, resume: true) with { Corpus = copy }));
    }

    [Fact]
    public void Folder_in_use_is_refused()
    {
        var refusals = new List<IOException>();
        var second = new Reporting(() => refusals.Add(Assert.Throws<IOException>(() => Trainer.Run(TinyRun.Setup(Run, resume: true)))));
        Trainer.Run(TinyRun.Setup(Run, TinyRun.Options with { Steps = 2 }), second);
        Assert.Equal(2, refusals.Count);
        Assert.All(refusals, refusal => Assert.Contains("is another process training there?", refusal.Message));
        Assert.All(refusals, refusal => Assert.Contains(Run, refusal.Message));
    }

    [Fact]
    public void Run_begun_for_another_process_is_trained_by_resuming_it()
    {
        Trainer.Begin(TinyRun.Configuration, TinyRun.Options, Run);
        Trainer.Begin(TinyRun.Configuration, TinyRun.Options, Run);
        Assert.Contains(
            "seed 1 is now 2",
            Assert.Throws<InvalidDataException>(() => Trainer.Begin(TinyRun.Configuration, TinyRun.Options with { Seed = 2 }, Run)).Message
        );
        Assert.Null(TinyRun.Train(TinyRun.Setup(Run, resume: true), stop: 1));
        Assert.Throws<InvalidDataException>(() => TinyRun.Train(TinyRun.Setup(Run, resume: true) with { Corpus = TinyCorpus.Other }));
    }

    /// <summary>Before the first checkpoint too, so that whatever ends the run, it can go on with the same number.</summary>
    [Fact]
    public void Threads_are_recorded_when_a_run_begins_and_may_be_others_later()
    {
        Begin();
        Assert.Empty(Directory.GetDirectories(Path.Combine(Run, "checkpoints")));
        var before = ThreadSettings.IntraOperation;
        Assert.Equal(before, Trainer.ThreadsBefore(Run));
        try
        {
            Assert.Null(TinyRun.Train(TinyRun.Setup(Run, TinyRun.Options with { Threads = before + 1 }, resume: true), stop: 1));
            Assert.Equal(before + 1, ThreadSettings.IntraOperation);
        }
        finally
        {
            ThreadSettings.IntraOperation = before;
        }
        Assert.Equal(before, Trainer.ThreadsBefore(Run));
    }

    [Fact]
    public void Threads_of_a_run_that_does_not_record_them_are_those_of_its_checkpoint()
    {
        Trainer.Begin(TinyRun.Configuration, TinyRun.Options, Run);
        Assert.Null(Trainer.ThreadsBefore(Run));
        Assert.Null(TinyRun.Train(TinyRun.Setup(Run, resume: true), stop: 1));
        Assert.Equal(ThreadSettings.IntraOperation, Trainer.ThreadsBefore(Run));
    }

    [Fact]
    public void Refused_setup_leaves_no_run_behind()
    {
        TrainingSetup[] wrong =
        [
            TinyRun.Setup(Run, TinyRun.Options with { Steps = 0 }),
            TinyRun.Setup(Run, TinyRun.Options with { Length = 257, Sequences = 1 }),
            TinyRun.Setup(Run) with
            {
                Configuration = TinyRun.Configuration with { VocabularySize = 200 },
            },
            TinyRun.Setup(Run) with
            {
                Configuration = TinyRun.WithMemory(memory => memory with { CompressedVocabularySize = 5 }),
            },
            TinyRun.Setup(Run) with
            {
                Configuration = TinyRun.WithMemory(memory => memory with { PadTokenId = 511 }),
            },
        ];
        string[] reasons =
        [
            "Steps is 0",
            "max_position_embeddings of the model is 256",
            "vocab_size is 200",
            "engram_compressed_vocab_size is 5",
            "engram_pad_token_id is 511",
        ];
        foreach (var (setup, reason) in wrong.Zip(reasons))
            Assert.Contains(reason, Assert.ThrowsAny<ArgumentException>(() => TinyRun.Train(setup)).Message);
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(Run, TinyRun.Options with { Steps = 1 })));
    }

    [Theory]
    [InlineData(60, 90, 20_000, "training part holds")]
    [InlineData(6, 60, 200, "validation part holds")]
    public void Data_shorter_than_a_sequence_are_refused_at_once(int documents, int words, int length, string part)
    {
        using var small = TinyCorpus.Prepare(_folder.File("small"), seed: 3, documents, words);
        var setup = TinyRun.Setup(Run, TinyRun.Options with { Length = length }) with
        {
            Corpus = small,
            Configuration = TinyRun.Configuration with { MaxPositionEmbeddings = length },
        };
        var error = Assert.Throws<InvalidDataException>(() => TinyRun.Train(setup));
        Assert.Contains(part, error.Message);
        Assert.Contains("Give more text or use shorter sequences", error.Message);
        Assert.False(Directory.Exists(Run));
    }

    [Fact]
    public void Folder_that_cannot_be_made_is_one_error()
    {
        File.WriteAllText(Run, "a file");
        Assert.Contains(Run, Assert.ThrowsAny<IOException>(() => TinyRun.Train(TinyRun.Setup(Run))).Message);
    }

    [Fact]
    public void Checkpoint_that_cannot_be_written_ends_the_run_and_costs_nothing()
    {
        var whole = TinyRun.Train(TinyRun.Setup(_folder.File("whole")))!;
        Assert.Null(TinyRun.Train(TinyRun.Setup(Run), stop: 2));
        var (checkpoints, aside) = (Path.Combine(Run, "checkpoints"), Path.Combine(Run, "aside"));
        var error = Assert.ThrowsAny<IOException>(() =>
            Trainer.Run(
                TinyRun.Setup(Run, resume: true),
                new Reporting(() =>
                {
                    if (Directory.Exists(aside))
                        return;
                    Directory.Move(checkpoints, aside);
                    File.WriteAllText(checkpoints, "in the way");
                })
            )
        );
        Assert.Contains(checkpoints, error.Message);
        File.Delete(checkpoints);
        Directory.Move(aside, checkpoints);
        TinyRun.AssertSameFiles(whole.ModelFolder, TinyRun.Train(TinyRun.Setup(Run, resume: true))!.ModelFolder);
        Assert.Equal(TinyRun.Metrics(_folder.File("whole")), TinyRun.Metrics(Run));
    }

    [Fact]
    public void Options_survive_their_file_and_name_what_is_out_of_range()
    {
        var options = TinyRun.Options with { WarmupSteps = 3, ClipNorm = 0.5, AccumulationSteps = 7, Threads = 3 };
        Assert.Equal(options, TrainingOptions.FromJson(options.ToJson(), "train.json"));
        foreach (
            var (wrong, name) in new (TrainingOptions, string)[]
            {
                (options with { Steps = 0 }, "Steps"),
                (options with { Sequences = 0 }, "Sequences"),
                (options with { Length = -1 }, "Length"),
                (options with { AccumulationSteps = 0 }, "AccumulationSteps"),
                (options with { Sequences = int.MaxValue }, "Tokens per update"),
                (options with { LearningRate = double.NaN }, "LearningRate"),
                (options with { LearningRate = 0 }, "LearningRate"),
                (options with { LearningRate = 1e31 }, "LearningRate"),
                (options with { TableLearningRateMultiplier = double.PositiveInfinity }, "TableLearningRateMultiplier"),
                (options with { WarmupSteps = -1 }, "WarmupSteps"),
                (options with { WeightDecay = double.PositiveInfinity }, "WeightDecay"),
                (options with { ClipNorm = double.PositiveInfinity }, "ClipNorm"),
                (options with { ValidateEvery = -1 }, "ValidateEvery"),
                (options with { ValidationSequences = 0 }, "ValidationSequences"),
                (options with { CheckpointEvery = -1 }, "CheckpointEvery"),
                (options with { KeepCheckpoints = 0 }, "KeepCheckpoints"),
                (options with { Threads = 0 }, "Threads"),
            }
        )
            Assert.StartsWith(name + " is ", Assert.ThrowsAny<ArgumentException>(wrong.Validated).Message);
        foreach (
            var json in new[]
            {
                "",
                "[]",
                "{}",
                "null",
                options.ToJson().Replace("\"steps\"", "\"stepz\""),
                options.ToJson().Replace("\"steps\": 9", "\"steps\": -9"),
            }
        )
            Assert.StartsWith(
                "train.json: ",
                Assert.Throws<InvalidDataException>(() => TrainingOptions.FromJson(json, "train.json")).Message
            );
    }

    private string Run => _folder.File("run");

    /// <summary>A run that was cancelled before its first update.</summary>
    private void Begin()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.Throws<OperationCanceledException>(() => Trainer.Run(TinyRun.Setup(Run), null, cancellation.Token));
    }

    private sealed class Reporting(Action action) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => action();
    }
}
