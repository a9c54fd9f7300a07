using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>An interrupted and resumed run gives the bits of one that was left alone.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(MatrixOptimizer.Muon, 1, new[] { 1L, 2 })]
    [InlineData(MatrixOptimizer.Muon, 3, new[] { 4L, 5 })]
    [InlineData(MatrixOptimizer.AdamW, 2, new[] { 2L, 3, 6 })]
    public void Interrupted_anywhere_it_equals_the_uninterrupted_run(MatrixOptimizer optimizer, int accumulation, long[] cuts)
    {
        var options = TinyRun.Options with { MatrixOptimizer = optimizer, AccumulationSteps = accumulation };
        var (whole, cut) = (_folder.File("whole"), _folder.File("cut"));

        // Both stop after update 7, one of them for the first time: their checkpoints hold weights, biases, tables and all moments.
        Assert.Null(TinyRun.Train(TinyRun.Setup(whole, options), stop: 7));
        foreach (var stop in cuts.Append(7))
            Assert.Null(TinyRun.Train(TinyRun.Setup(cut, options, resume: true), stop));
        var checkpoint = Path.Combine("checkpoints", "00000007");
        TinyRun.AssertSameFiles(
            Path.Combine(whole, checkpoint),
            Path.Combine(cut, checkpoint),
            except: Path.Combine("training", "trainer.json")
        );

        var result = TinyRun.Train(TinyRun.Setup(_folder.File("never stopped"), options))!;
        foreach (var run in new[] { whole, cut })
        {
            var resumed = TinyRun.Train(TinyRun.Setup(run, options, resume: true))!;
            Assert.Equal(
                (result.Steps, result.Tokens, result.ValidationLoss, result.BitsPerByte),
                (resumed.Steps, resumed.Tokens, resumed.ValidationLoss, resumed.BitsPerByte)
            );
            TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
            Assert.Equal(TinyRun.Metrics(_folder.File("never stopped")), TinyRun.Metrics(run));
        }
    }

    [Fact]
    public void Checkpoints_hold_the_documented_files_with_every_moment()
    {
        Assert.Null(TinyRun.Train(TinyRun.Setup(_folder.File("run")), stop: 2));
        Assert.Equal(
            [
                "config.json",
                "engram/addressing.json",
                "engram/layer-01.safetensors",
                "engram/layer-02.safetensors",
                "model.safetensors",
                "tokenizer.json",
                "training/optimizer.safetensors",
                "training/table-01.safetensors",
                "training/table-02.safetensors",
                "training/trainer.json",
            ],
            TinyRun.Files(_folder.File("run/checkpoints/00000002")).Keys
        );
    }

    [Fact]
    public void Crash_past_a_checkpoint_repeats_the_lost_updates()
    {
        var (whole, crashed) = (_folder.File("whole"), _folder.File("crashed"));
        var result = TinyRun.Train(TinyRun.Setup(whole))!;
        TinyRun.Crash(TinyRun.Setup(crashed), stop: 5);
        Assert.Equal(["00000003"], Directory.GetDirectories(Path.Combine(crashed, "checkpoints")).Select(Path.GetFileName));
        // What a crash in the middle of a line leaves behind.
        File.AppendAllText(Path.Combine(crashed, "metrics.jsonl"), """{"step":6,"tok""");

        var resumed = TinyRun.Train(TinyRun.Setup(crashed, resume: true))!;
        TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
        Assert.Equal(TinyRun.Metrics(whole), TinyRun.Metrics(crashed));
        Assert.False(Directory.Exists(Path.Combine(crashed, "checkpoints")));
    }

    [Fact]
    public void Resumed_without_a_checkpoint_it_starts_again_alike()
    {
        var (whole, crashed) = (_folder.File("whole"), _folder.File("crashed"));
        var options = TinyRun.Options with { CheckpointEvery = 0 };
        var result = TinyRun.Train(TinyRun.Setup(whole, options))!;
        TinyRun.Crash(TinyRun.Setup(crashed, options), stop: 4);
        Assert.Empty(Directory.GetDirectories(Path.Combine(crashed, "checkpoints")));

        var resumed = TinyRun.Train(TinyRun.Setup(crashed, options, resume: true))!;
        TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
        Assert.Equal(TinyRun.Metrics(whole), TinyRun.Metrics(crashed));
    }

    [Fact]
    public void Finished_run_is_returned_untouched()
    {
        var run = _folder.File("run");
        var result = TinyRun.Train(TinyRun.Setup(run, TinyRun.Options with { Steps = 2 }))!;
        var before = TinyRun.Files(run);
        Assert.Equal(result, TinyRun.Train(TinyRun.Setup(run, TinyRun.Options with { Steps = 2 }, resume: true)));
        Assert.Equal(before, TinyRun.Files(run));
        Assert.Equal(result, TrainingResult.Read(run));
    }

    [Fact]
    public void Newest_checkpoints_are_kept_and_leftovers_are_never_chosen()
    {
        var (whole, cut) = (_folder.File("whole"), _folder.File("cut"));
        var options = TinyRun.Options with { CheckpointEvery = 1, KeepCheckpoints = 3 };
        var result = TinyRun.Train(TinyRun.Setup(whole, options))!;
        Assert.Null(TinyRun.Train(TinyRun.Setup(cut, options), stop: 5));
        var checkpoints = Path.Combine(cut, "checkpoints");
        Assert.Equal(["00000003", "00000004", "00000005"], Directory.GetDirectories(checkpoints).Select(Path.GetFileName).Order());

        // A write that was killed half-way, further on than the newest checkpoint, and the files that killed atomic writes leave.
        Directory.CreateDirectory(Path.Combine(checkpoints, "00000008.abc.tmp", "training"));
        File.WriteAllText(Path.Combine(checkpoints, "00000008.abc.tmp", "config.json"), "{");
        Directory.CreateDirectory(Path.Combine(cut, "model.abc.old"));
        File.WriteAllText(Path.Combine(cut, "metrics.jsonl.7-abc.tmp"), "");
        File.WriteAllText(Path.Combine(cut, "notes.tmp"), "the user's own");
        var resumed = TinyRun.Train(TinyRun.Setup(cut, options, resume: true))!;
        TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
        Assert.Equal(
            ["config.json", "data.json", "metrics.jsonl", "model", "notes.tmp", "result.json", "run.lock", "tensorboard", "train.json"],
            Directory.GetFileSystemEntries(cut).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
    }

    /// <summary>The kept checkpoint before it is as good: the run goes on from there, says so, and repeats the updates between.</summary>
    [Theory]
    [
        InlineData(TableLocation.Memory, "model.safetensors", true),
        InlineData(TableLocation.Memory, "training/trainer.json", false),
        InlineData(TableLocation.Memory, "engram/layer-01.safetensors", true)
    ]
    [
        InlineData(TableLocation.Mapped, "training/table-02.safetensors", true),
        InlineData(TableLocation.Mapped, "training/optimizer.safetensors", false)
    ]
    public void A_damaged_newest_checkpoint_gives_way_to_the_one_before(TableLocation tables, string file, bool cut)
    {
        var (whole, damaged) = (_folder.File("whole"), _folder.File("damaged"));
        var options = TinyRun.Options with { Tables = tables };
        var result = TinyRun.Train(TinyRun.Setup(whole, options))!;
        Assert.Null(TinyRun.Train(TinyRun.Setup(damaged, options), stop: 7));
        var path = Path.Combine(damaged, "checkpoints", "00000007", file);
        if (cut)
            File.WriteAllBytes(path, File.ReadAllBytes(path)[..^40]);
        else
            File.Delete(path);

        var notes = new List<string>();
        var resumed = Trainer.Run(TinyRun.Setup(damaged, options, resume: true), note: notes.Add);
        var note = Assert.Single(notes);
        Assert.Contains("checkpoint of update 7 is damaged", note);
        Assert.Contains(Path.GetFileName(file), note);
        Assert.Contains("goes on from that of update 6", note);
        TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
        Assert.Equal(TinyRun.Metrics(whole), TinyRun.Metrics(damaged));
        Assert.Equal(["00000007.damaged"], Directory.GetDirectories(Path.Combine(damaged, "checkpoints")).Select(Path.GetFileName));
    }

    [Fact]
    public void A_run_that_begins_anew_says_so()
    {
        var (run, notes) = (_folder.File("run"), new List<string>());
        var options = TinyRun.Options with { Steps = 2, CheckpointEvery = 0 };
        TinyRun.Crash(TinyRun.Setup(run, options), stop: 1);
        Trainer.Run(TinyRun.Setup(run, options, resume: true), note: notes.Add);
        Assert.Contains("holds no checkpoint yet: the run begins anew", Assert.Single(notes));
    }

    [Fact]
    public void Damaged_training_state_is_one_error_that_names_its_file()
    {
        var run = _folder.File("run");
        Assert.Null(TinyRun.Train(TinyRun.Setup(run), stop: 2));
        var training = Path.Combine(run, "checkpoints", "00000002", "training");
        foreach (
            var (file, damage, named) in new (string, Func<byte[], byte[]>, string)[]
            {
                ("trainer.json", _ => "{"u8.ToArray(), "trainer.json"),
                ("trainer.json", _ => "{}"u8.ToArray(), "trainer.json"),
                (
                    "trainer.json",
                    bytes =>
                        [
                            .. System.Text.Encoding.UTF8.GetBytes(
                                System.Text.Encoding.UTF8.GetString(bytes).Replace("\"step\": 2", "\"step\": 1")
                            ),
                        ],
                    "update 1"
                ),
                ("optimizer.safetensors", bytes => bytes[..^1], "optimizer.safetensors"),
                ("optimizer.safetensors", bytes => [.. bytes[..^4], 0, 0, 0xC0, 0x7F], "not finite"),
                ("table-01.safetensors", bytes => bytes[..100], "table-01.safetensors"),
            }
        )
        {
            var path = Path.Combine(training, file);
            var intact = File.ReadAllBytes(path);
            File.WriteAllBytes(path, damage(intact));
            Assert.Contains(named, Assert.Throws<InvalidDataException>(() => TinyRun.Train(TinyRun.Setup(run, resume: true))).Message);
            File.Delete(path);
            Assert.Contains(file, Assert.Throws<FileNotFoundException>(() => TinyRun.Train(TinyRun.Setup(run, resume: true))).Message);
            File.WriteAllBytes(path, intact);
        }

        Assert.NotNull(TinyRun.Train(TinyRun.Setup(run, resume: true)));
    }
}
