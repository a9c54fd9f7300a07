using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Tables.Training;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Training;

/// <summary>Runs with every table optimizer, in memory and mapped: the same bits, interrupted or not.</summary>
public sealed class TableOptimizerRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TableOptimizer.Adam, MomentFormat.Float32)]
    [InlineData(TableOptimizer.Adam, MomentFormat.BFloat16)]
    [InlineData(TableOptimizer.DeferredAdam, MomentFormat.Float32)]
    [InlineData(TableOptimizer.DeferredAdam, MomentFormat.BFloat16)]
    [InlineData(TableOptimizer.Adagrad, MomentFormat.Float32)]
    [InlineData(TableOptimizer.Sinkhorn, MomentFormat.Float32)]
    [InlineData(TableOptimizer.Sinkhorn, MomentFormat.BFloat16)]
    public void Mapped_or_not_interrupted_or_crashed_the_bits_are_the_same(TableOptimizer optimizer, MomentFormat moments)
    {
        var options = TinyRun.Options with { TableOptimizer = optimizer, TableMoments = moments };
        var mapped = options with { Tables = TableLocation.Mapped };
        var result = TinyRun.Train(TinyRun.Setup(_folder.File("memory"), options))!;

        Assert.NotNull(TinyRun.Train(TinyRun.Setup(_folder.File("mapped"), mapped)));
        Assert.Null(TinyRun.Train(TinyRun.Setup(_folder.File("cut in memory"), options), stop: 2));
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(_folder.File("cut in memory"), options, resume: true)));
        // Interrupted before and after a checkpoint, and crashed past the checkpoint of update 6: what updates 7 and 8 wrote is undone.
        var cut = _folder.File("cut");
        foreach (var stop in (long[])[1, 4])
            Assert.Null(TinyRun.Train(TinyRun.Setup(cut, mapped, resume: true), stop));
        TinyRun.Crash(TinyRun.Setup(cut, mapped, resume: true), stop: 8);
        Assert.True(Directory.Exists(Path.Combine(cut, "tables")));
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(cut, mapped, resume: true)));

        foreach (var run in (string[])["mapped", "cut in memory", "cut"])
        {
            TinyRun.AssertSameFiles(result.ModelFolder, Path.Combine(_folder.File(run), "model"));
            Assert.Equal(TinyRun.Metrics(_folder.File("memory")), TinyRun.Metrics(_folder.File(run)));
            Assert.False(Directory.Exists(Path.Combine(_folder.File(run), "tables")));
        }
    }

    [Fact]
    public void Deferred_Adam_trains_the_model_of_dense_Adam_to_the_bit()
    {
        var dense = TinyRun.Train(
            TinyRun.Setup(_folder.File("dense"), TinyRun.Options with { TableOptimizer = TableOptimizer.DenseAdam })
        )!;
        var deferred = TinyRun.Train(
            TinyRun.Setup(_folder.File("deferred"), TinyRun.Options with { TableOptimizer = TableOptimizer.DeferredAdam })
        )!;
        TinyRun.AssertSameFiles(dense.ModelFolder, deferred.ModelFolder);
        Assert.Equal(TinyRun.Metrics(_folder.File("dense")), TinyRun.Metrics(_folder.File("deferred")));
        var lazy = TinyRun.Train(TinyRun.Setup(_folder.File("lazy")))!;
        Assert.NotEqual(lazy.ValidationLoss, dense.ValidationLoss);
    }

    [Fact]
    public void Checkpoints_of_mapped_tables_copy_no_table()
    {
        var run = _folder.File("run");
        Assert.Null(
            TinyRun.Train(TinyRun.Setup(run, TinyRun.Options with { Tables = TableLocation.Mapped, CheckpointEvery = 2 }), stop: 5)
        );
        Assert.Equal(
            [
                "config.json",
                "engram/addressing.json",
                "model.safetensors",
                "tokenizer.json",
                "training/optimizer.safetensors",
                "training/table-01.safetensors",
                "training/table-02.safetensors",
                "training/trainer.json",
            ],
            TinyRun.Files(Path.Combine(run, "checkpoints", "00000005")).Keys
        );
        Assert.Equal(
            [
                "layer-01.safetensors",
                "layer-01.state.safetensors",
                "layer-01.undo-00000004",
                "layer-01.undo-00000005",
                "layer-02.safetensors",
                "layer-02.state.safetensors",
                "layer-02.undo-00000004",
                "layer-02.undo-00000005",
            ],
            TinyRun.Files(Path.Combine(run, "tables")).Keys
        );
        Assert.True(new FileInfo(Path.Combine(run, "checkpoints", "00000005", "training", "table-01.safetensors")).Length < 500);
    }

    /// <summary>The checkpoint before the newest one can be returned to as long as it is kept.</summary>
    [Fact]
    public void Without_its_newest_checkpoint_a_run_goes_on_from_the_one_before()
    {
        var options = TinyRun.Options with { Tables = TableLocation.Mapped };
        var result = TinyRun.Train(TinyRun.Setup(_folder.File("whole"), options))!;
        var run = _folder.File("run");
        TinyRun.Crash(TinyRun.Setup(run, options), stop: 8);
        Directory.Delete(Path.Combine(run, "checkpoints", "00000006"), recursive: true);
        TinyRun.AssertSameFiles(result.ModelFolder, TinyRun.Train(TinyRun.Setup(run, options, resume: true))!.ModelFolder);
    }

    [Fact]
    public void Runs_from_before_these_options_go_on()
    {
        var run = _folder.File("run");
        Assert.Null(TinyRun.Train(TinyRun.Setup(run), stop: 4));
        var file = Path.Combine(run, "train.json");
        var lines = File.ReadAllLines(file)
            .Where(line => !line.Contains("table_optimizer") && !line.Contains("table_moments") && !line.Contains("\"tables\""))
            .ToArray();
        Assert.Equal(File.ReadAllLines(file).Length - 3, lines.Length);
        File.WriteAllLines(file, lines);
        Assert.NotNull(TinyRun.Train(TinyRun.Setup(run, resume: true)));
    }

    [Fact]
    public void Options_are_recorded_under_their_names()
    {
        var json = (
            TinyRun.Options with
            {
                TableOptimizer = TableOptimizer.Sinkhorn,
                TableMoments = MomentFormat.BFloat16,
                Tables = TableLocation.Mapped,
            }
        ).ToJson();
        Assert.Contains("\"table_optimizer\": \"sinkhorn\"", json);
        Assert.Contains("\"table_moments\": \"bfloat16\"", json);
        Assert.Contains("\"tables\": \"mapped\"", json);
        var wrong = TinyRun.Options with { TableOptimizer = TableOptimizer.Adagrad, TableMoments = MomentFormat.BFloat16 };
        Assert.StartsWith("TableMoments is bfloat16", Assert.Throws<TrainingOptionException>(wrong.Validated).Message);
    }
}
