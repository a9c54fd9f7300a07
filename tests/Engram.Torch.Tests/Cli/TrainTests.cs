using System.Diagnostics;
using System.Text.Json.Nodes;
using Engram.Cli;
using Engram.Cli.Commands;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Tables.Training;
using Engram.Torch.Tests.Training;
using Engram.Training;

namespace Engram.Torch.Tests.Cli;

[Collection(nameof(TrainedRun))]
public sealed class TrainTests(TrainedRun trained)
{
    [Fact]
    public void Result_IsTheFileOfTheRun()
    {
        Assert.Equal(6, trained.Result.GetProperty("steps").GetInt64());
        Assert.Equal(6 * 4 * 32, trained.Result.GetProperty("tokens").GetInt64());
        Assert.InRange(trained.Result.GetProperty("validation_loss").GetDouble(), 0.1, 7);
        Assert.Equal(trained.Model, trained.Result.GetProperty("model_folder").GetString());
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse(trained.Result.GetRawText()),
                JsonNode.Parse(File.ReadAllText(Path.Combine(trained.Run, "result.json")))
            )
        );
        Assert.Equal(2, File.ReadLines(Path.Combine(trained.Run, "metrics.jsonl")).Count(line => line.Contains("validation_loss")));
    }

    [Fact]
    public async Task ExistingRun_IsRefused_AndResumedWhenAsked()
    {
        var refused = await CliProcess.Run(trained.Train(trained.Run, "--steps", "6"));
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(trained.Run, refused.ErrorLine);
        Assert.Contains("--resume", refused.ErrorLine);

        var again = (await CliProcess.Run("train", "--data", trained.Data, "--run", trained.Run, "--resume", "--json")).Ok();
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(trained.Result.GetRawText()), JsonNode.Parse(again.Output)));

        var other = await CliProcess.Run("train", "--data", trained.Data, "--run", trained.Run, "--resume", "--steps", "5");
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("cannot be shortened to 5; give at least 6", other.ErrorLine);
        Assert.False(Directory.Exists(Path.Combine(trained.Run, "checkpoints")));
    }

    [Fact]
    public async Task WithoutARun_ThereIsNothingToResume()
    {
        var run = trained["norun"];
        var refused = await CliProcess.Run("train", "--data", trained.Data, "--run", run, "--resume");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("holds no run to resume", refused.ErrorLine);
        Assert.False(Directory.Exists(run));
    }

    [Fact]
    public async Task RunFolder_IsNoPreparedData()
    {
        var read = await CliProcess.Run("eval", "loss", "--model", trained.Model, "--data", trained.Run);
        Assert.Equal(1, read.ExitCode);
        Assert.Contains($"{trained.Run}: is the folder of a training run", read.ErrorLine);
        File.WriteAllText(trained["text.txt"], SampleCorpus.Text());
        var written = await CliProcess.Run("data", "prepare", trained["text.txt"], "--output", trained.Run);
        Assert.Equal(1, written.ExitCode);
        Assert.Contains("is the folder of a training run. Choose another folder for the data.", written.ErrorLine);
    }

    [Fact]
    public void Interruption_BeforeACheckpoint_PromisesNone()
    {
        var (command, run) = (new TrainCommand(), trained["none"]);
        var parsed = command.Parse(["--preset", "tiny", "--data", trained.Data, "--run", run]);
        Assert.Equal("No run has begun: the same command begins it.", command.AfterInterruption(parsed));
        Directory.CreateDirectory(Path.Combine(run, "checkpoints"));
        File.WriteAllText(Path.Combine(run, "train.json"), "{}");
        Assert.StartsWith("There is no checkpoint yet; begin anew with: engram train", command.AfterInterruption(parsed));
        Directory.CreateDirectory(Path.Combine(run, "checkpoints", "00000002"));
        Assert.StartsWith("Continue with: engram train", command.AfterInterruption(parsed));
    }

    [Fact]
    public async Task FinishedRun_SaysThatNothingIsTrained()
    {
        var again = (await CliProcess.Run("train", "--data", trained.Data, "--run", trained.Run, "--resume")).Ok();
        Assert.Contains("The run is finished: nothing is trained.", again.ErrorLine);
    }

    [Fact]
    public async Task Interruption_WritesACheckpoint_AndSaysHowToGoOn()
    {
        var run = trained["interrupted"];
        var (first, _) = await Interrupt(run, trained.Train(run, "--steps", "100000"));
        var (second, quiet) = await Interrupt(run, "train", "--data", trained.Data, "--run", run, "--resume");
        Assert.True(second > first, $"resumed at {first}, ended at {second}");
        Assert.DoesNotContain("last bits", quiet);
        Assert.Equal(1, Threads(run, second));
        var (third, told) = await Interrupt(run, "train", "--data", trained.Data, "--run", run, "--threads", "2", "--resume");
        Assert.True(third > second, $"resumed at {second}, ended at {third}");
        Assert.Contains("--threads 1 so far, and goes on with 2", told);
        Assert.Equal(2, Threads(run, third));

        var unfinished = await CliProcess.Run("generate", "--model", run, "--prompt", "The mare");
        Assert.Equal(1, unfinished.ExitCode);
        Assert.Contains("has not finished", unfinished.ErrorLine);
    }

    /// <summary>
    /// The small presets state 4096 ids; whoever has a smaller tokenizer gets a model of its size, from train and from plan.
    /// </summary>
    [Fact]
    public async Task Preset_TakesTheVocabularyOfTheData()
    {
        var (run, file) = (trained["fitted"], trained["fitted.json"]);
        var told = (
            await CliProcess.Run(
                "train",
                "--preset",
                "quickstart-engram",
                "--data",
                trained.Data,
                "--run",
                run,
                "--steps",
                "1",
                "--batch-size",
                "1",
                "--length",
                "32",
                "--validation-sequences",
                "1"
            )
        ).Ok();
        using var corpus = PreparedCorpus.Open(trained.Data);
        var model = ModelConfiguration.Load(Path.Combine(run, "config.json"));
        Assert.Equal((corpus.Tokenizer.VocabularySize, corpus.Summary.EndOfTextId), (model.VocabularySize, model.StartTokenId));
        Assert.Contains($"vocabulary       {corpus.Tokenizer.VocabularySize:N0} ids", told.Output);
        (await CliProcess.Run("plan", "quickstart-engram", "--data", trained.Data, "--write", file)).Ok();
        Assert.Equal(model.ToJson(), ModelConfiguration.Load(file).ToJson());
    }

    /// <summary>
    /// A run under options that all differ from the defaults, stopped by Ctrl-C and continued without a word about them or the threads.
    /// </summary>
    [Fact]
    public async Task StoppedRun_GoesOnUnderItsOwnScheduleAndThreads_ToTheSameBits()
    {
        var (whole, stopped) = (trained["whole"], trained["stopped"]);
        string[] recipe =
        [
            "--steps",
            "200",
            "--learning-rate",
            "0.002",
            "--warmup",
            "7",
            "--decay",
            "steps",
            "--matrix-optimizer",
            "adamw",
            "--weight-decay",
            "0.2",
            "--clip",
            "0.5",
            "--table-lr-multiplier",
            "3",
            "--keep-checkpoints",
            "1",
        ];
        (await CliProcess.Run(trained.Train(whole, recipe))).Ok();
        var (step, _) = await Interrupt(stopped, trained.Train(stopped, recipe));
        Assert.InRange(step, 1, 199);
        var other = await CliProcess.Run(
            "train",
            "--data",
            trained.Data,
            "--run",
            stopped,
            "--resume",
            "--warmup",
            "8",
            "--decay",
            "linear",
            "--clip",
            "1"
        );
        Assert.Equal(1, other.ExitCode);
        foreach (var named in (string[])["warmup_steps 7 is now 8", "decay \"steps\" is now \"linear\"", "clip_norm 0.5 is now 1"])
            Assert.Contains(named, other.ErrorLine);
        (await CliProcess.Run("train", "--data", trained.Data, "--run", stopped, "--resume")).Ok();

        TinyRun.AssertSameFiles(Path.Combine(whole, "model"), Path.Combine(stopped, "model"));
        Assert.Equal(TinyRun.Metrics(whole), TinyRun.Metrics(stopped));
        var options = TrainingOptions.FromJson(File.ReadAllText(Path.Combine(stopped, "train.json")), "train.json");
        Assert.Equal(
            new TrainingOptions(PresetRecipe.Of("tiny-engram").Recipe) with
            {
                Steps = 200,
                Sequences = 4,
                Length = 32,
                ValidationSequences = 4,
                LearningRate = 0.002,
                WarmupSteps = 7,
                Decay = LearningRateDecay.Steps,
                MatrixOptimizer = MatrixOptimizer.AdamW,
                WeightDecay = 0.2,
                ClipNorm = 0.5,
                TableLearningRateMultiplier = 3,
                KeepCheckpoints = 1,
                Threads = 1,
            },
            options
        );
        double[] rates =
        [
            .. TinyRun
                .Metrics(stopped)
                .Select(line => JsonNode.Parse(line)!["learning_rate"])
                .OfType<JsonNode>()
                .Select(rate => rate.GetValue<double>()),
        ];
        Assert.Equal(200, rates.Length);
        // Seven updates of warm-up; 0.316 from the 161st on, 0.1 from the 181st.
        foreach (
            var (update, factor) in new[]
            {
                (1, 1 / 7.0),
                (6, 6 / 7.0),
                (7, 1),
                (160, 1),
                (161, 0.316),
                (180, 0.316),
                (181, 0.1),
                (200, 0.1),
            }
        )
            Assert.Equal(0.002 * factor, rates[update - 1], 12);
    }

    /// <summary>Two threads divide sums, and each gets its part; every other run of the tests has one.</summary>
    [Fact]
    public async Task Interruption_WithTwoThreads_ChangesNoBit()
    {
        var (whole, cut) = (trained["two-threads"], trained["two-threads-cut"]);
        (await CliProcess.Run(Arguments(whole))).Ok();
        await Interrupt(cut, Arguments(cut));
        Assert.False(File.Exists(Path.Combine(cut, "result.json")));
        (await CliProcess.Run("train", "--data", trained.Data, "--run", cut, "--threads", "2", "--resume")).Ok();
        TinyRun.AssertSameFiles(Path.Combine(whole, "model"), Path.Combine(cut, "model"));

        string[] Arguments(string run) =>
            [
                "train",
                "--preset",
                "tiny-engram",
                "--data",
                trained.Data,
                "--run",
                run,
                "--steps",
                "60",
                "--batch-size",
                "4",
                "--length",
                "32",
                "--validation-sequences",
                "4",
                "--threads",
                "2",
            ];
    }

    /// <summary>Tokens are rounded up to whole updates: 300 are three of 128.</summary>
    [Fact]
    public async Task Tokens_AndAConfigFile_TakeThePlaceOfStepsAndPreset()
    {
        var config = trained["dense.json"];
        Presets.Load("tiny-dense").Save(config);
        var result = (
            await CliProcess.Run(
                "train",
                "--config",
                config,
                "--data",
                trained.Data,
                "--run",
                trained["dense"],
                "--tokens",
                "300",
                "--batch-size",
                "4",
                "--length",
                "32",
                "--validation-sequences",
                "4",
                "--threads",
                "1"
            )
        ).Ok();
        Assert.Contains("3 updates, 384 tokens", result.Output);
        Assert.Contains("step 3/3", result.Errors);
        var model = trained[Path.Combine("dense", "model")];
        Assert.Contains(model, result.Output);

        var inspected = await CliProcess.Run("inspect", "--model", model, "--prompt", "The mare");
        Assert.Equal(2, inspected.ExitCode);
        Assert.Contains("no memory", inspected.ErrorLine);
    }

    /// <summary>The recipe of a preset is all it needs; what is given besides overrides it, value by value.</summary>
    [Fact]
    public void Preset_BringsItsRecipe()
    {
        var paper = new TrainingOptions(PresetRecipe.Of("engram-27b").Recipe);
        Assert.Equal(paper, Options("--preset", "engram-27b"));
        Assert.Equal(
            paper with
            {
                Steps = 41_000,
                ClipNorm = 2,
                Sequences = 4,
                AccumulationSteps = 320,
                TableOptimizer = TableOptimizer.DeferredAdam,
                Seed = 7,
            },
            Options(
                "--preset",
                "engram-27b",
                "--steps",
                "41000",
                "--clip",
                "2",
                "--batch-size",
                "4",
                "--accumulation",
                "320",
                "--table-optimizer",
                "deferred-adam",
                "--seed",
                "7"
            )
        );
        Assert.Equal(2, Options("--preset", "engram-27b", "--tokens", "5242881").Steps);
        // The recipe's warm-up of 2000 updates belongs to its 50,000.
        Assert.Equal(
            (2, 1),
            (Options("--preset", "engram-27b", "--tokens", "5242881").WarmUp + 1, Options("--preset", "engram-27b", "--steps", "2").WarmUp)
        );
        Assert.Equal(
            new TrainingOptions
            {
                Steps = 3,
                LearningRate = 3e-4,
                Frozen = ["lm_head.weight"],
            }.ToJson(),
            Options("--init", "model", "--steps", "3", "--freeze", "lm_head.weight").ToJson()
        );
        Assert.Equal(0.01, Options("--init", "model", "--steps", "3", "--learning-rate", "0.01").LearningRate);
        Assert.Equal(new TrainingOptions { Steps = 3 }, Options("--config", "config.json", "--steps", "3"));

        static TrainingOptions Options(params string[] arguments)
        {
            var parsed = CommandTree.Create().Parse(["train", "--data", "data", "--run", "run", .. arguments]);
            Assert.Empty(parsed.Errors);
            return Assert.IsType<TrainCommand>(parsed.CommandResult.Command).OptionsOf(parsed, recorded: null);
        }
    }

    /// <summary>Every option that is a property of the training sets that property, and says its default.</summary>
    [Fact]
    public void Settings_CoverTheOptions()
    {
        var train = CommandTree.Create().Subcommands.OfType<TrainCommand>().Single();
        string[] properties = [.. train.Settings.Select(setting => setting.Property)];
        Assert.Equal(
            typeof(TrainingOptions)
                .GetProperties()
                .Where(property => property.SetMethod is not null)
                .Select(property => property.Name)
                .Except([nameof(TrainingOptions.Steps), nameof(TrainingOptions.Threads)])
                .Order(),
            properties.Order()
        );
        Assert.All(train.Settings, setting => Assert.Contains("[default: ", setting.Option.Description));
        Assert.Contains("[default: 0.006]", train.Options.Single(option => option.Name == "--learning-rate").Description);
        Assert.Contains("[default: linear]", train.Options.Single(option => option.Name == "--decay").Description);
    }

    /// <summary>A finished model with four times the context: trained, generated from, evaluated beyond the old limit.</summary>
    [Fact]
    public async Task Init_ExtendsTheContextOfAModel()
    {
        var run = trained["extended"];
        string[] begin =
        [
            "train",
            "--init",
            trained.Model,
            "--data",
            trained.Data,
            "--run",
            run,
            "--steps",
            "2",
            "--batch-size",
            "1",
            "--length",
            "300",
            "--validation-sequences",
            "1",
            "--threads",
            "1",
        ];
        var tooShort = await CliProcess.Run(begin);
        Assert.Equal(2, tooShort.ExitCode);
        Assert.Contains("--length is 300", tooShort.ErrorLine);
        (
            await CliProcess.Run([
                .. begin,
                "--extend-context",
                "1024",
                "--original-context",
                "128",
                "--freeze",
                "model.embed_tokens.weight",
            ])
        ).Ok();
        var model = ModelConfiguration.Load(Path.Combine(run, "model", "config.json"));
        Assert.Equal(
            (
                1024,
                new RopeScaling
                {
                    Factor = 10,
                    OriginalMaxPositionEmbeddings = 128,
                    Mscale = 0.707,
                    MscaleAllDim = 0.707,
                }
            ),
            (model.MaxPositionEmbeddings, model.RopeScaling)
        );
        var further = (await CliProcess.Run("train", "--data", trained.Data, "--run", run, "--resume", "--steps", "3")).Ok();
        Assert.Contains("goes on to 3", further.Errors);
        Assert.Contains("3 updates, 900 tokens", further.Output);

        var page = trained["positions.html"];
        string[] eval = ["eval", "loss", "--model", Path.Combine(run, "model"), "--data", trained.Data, "--limit", "2", "--length", "300"];
        var positions = (
            await CliProcess.Run([.. eval, "--by-position", "--bins", "3", "--html", page, "--svg", trained["positions.svg"], "--json"])
        )
            .Ok()
            .Json;
        Assert.Equal(
            [0, 100, 200],
            positions.GetProperty("models")[0].GetProperty("positions").EnumerateArray().Select(bin => bin.GetProperty("first").GetInt32())
        );
        Assert.Contains("<svg", File.ReadAllText(page));
        Assert.Contains("<svg", File.ReadAllText(trained["positions.svg"]));
        var beyond = await CliProcess.Run([.. eval, "--by-position", "--also", trained.Model]);
        Assert.Equal(2, beyond.ExitCode);
        Assert.Contains($"--length: max_position_embeddings of {trained.Model} is 256", beyond.ErrorLine);
        var neither = await CliProcess.Run("eval", "loss", "--model", trained.Model);
        Assert.Equal((2, true), (neither.ExitCode, neither.ErrorLine.Contains("Give --data or --text")));
    }

    [Fact]
    public async Task RunThatCannotStart_LeavesTheFolderFree()
    {
        var run = trained["failed"];
        var tooLong = await CliProcess.Run(
            "train",
            "--preset",
            "tiny-engram",
            "--data",
            trained.Data,
            "--run",
            run,
            "--steps",
            "2",
            "--length",
            "257"
        );
        Assert.Equal(2, tooLong.ExitCode);
        Assert.Contains("--length is 257; max_position_embeddings of the model is 256", tooLong.ErrorLine);
        (await CliProcess.Run(trained.Train(run, "--steps", "1"))).Ok();
    }

    [Theory]
    [InlineData("--steps or --tokens", "--config", "config.json")]
    [InlineData("--preset, --config or --init", "--steps", "1")]
    [InlineData("Give --preset or --init, not both", "--preset", "tiny", "--init", "model", "--steps", "1")]
    [InlineData("--extend-context needs --init", "--preset", "tiny", "--steps", "1", "--extend-context", "512")]
    [InlineData("--yarn-factor needs --extend-context", "--init", "model", "--steps", "1", "--yarn-factor", "4")]
    [InlineData("--warmup is 3; it must be at most the 2 updates", "--preset", "tiny", "--steps", "2", "--warmup", "3")]
    [InlineData("not both", "--preset", "tiny", "--steps", "1", "--tokens", "1")]
    [InlineData("'tinny'", "--preset", "tinny", "--steps", "1")]
    [InlineData("--threads", "--preset", "tiny", "--steps", "1", "--threads", "0")]
    [InlineData("--steps is 0", "--preset", "tiny", "--steps", "0")]
    [InlineData("--warmup is -1", "--preset", "tiny", "--steps", "1", "--warmup", "-1")]
    [InlineData("--weight-decay is -0.5", "--preset", "tiny", "--steps", "1", "--weight-decay", "-0.5")]
    [InlineData("--learning-rate is 0; it must be above 0", "--preset", "tiny", "--steps", "1", "--learning-rate", "0")]
    [InlineData("--accumulation is 0", "--preset", "tiny", "--accumulation", "0")]
    [InlineData("--table-moments is bfloat16", "--preset", "tiny", "--table-optimizer", "adagrad", "--table-moments", "bfloat16")]
    [InlineData("--clip is 0", "--preset", "tiny", "--steps", "1", "--clip", "0")]
    [InlineData("--table-lr-multiplier is -1", "--preset", "tiny", "--steps", "1", "--table-lr-multiplier", "-1")]
    [InlineData("--keep-checkpoints is 0", "--preset", "tiny", "--steps", "1", "--keep-checkpoints", "0")]
    [InlineData("'cosine'", "--preset", "tiny", "--steps", "1", "--decay", "cosine")]
    [InlineData("'sgd'", "--preset", "tiny", "--steps", "1", "--matrix-optimizer", "sgd")]
    [InlineData("--device: Device 'tpu'", "--preset", "tiny-engram", "--steps", "1", "--device", "tpu")]
    public async Task WrongUsage_IsOneLine_AndWritesNothing(string named, params string[] arguments)
    {
        var run = trained["wrong"];
        var result = await CliProcess.Run(["train", "--data", trained.Data, "--run", run, .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
        Assert.False(Directory.Exists(run));
    }

    /// <summary>Threads of the process that wrote a checkpoint.</summary>
    private static int Threads(string run, long step) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(run, "checkpoints", $"{step:00000000}", "training", "trainer.json")))![
            "threads"
        ]!.GetValue<int>();

    /// <summary>
    /// Runs until two more updates are logged, presses Ctrl-C, and returns the update of the checkpoint and what stderr had. A run that was
    /// over before the signal came is begun again.
    /// </summary>
    private static async Task<(long Step, string Errors)> Interrupt(string run, params string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var metrics = Path.Combine(run, "metrics.jsonl");
        var before = File.Exists(metrics) ? File.ReadLines(metrics).Count() : 0;
        while (true)
        {
            using var process = CliProcess.Start(arguments);
            while (!process.HasExited && (!File.Exists(metrics) || File.ReadLines(metrics).Count() < before + 2))
                await Task.Delay(5, limit.Token);
            if (!process.HasExited)
                using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"]))
                    await kill.WaitForExitAsync(limit.Token);
            var result = await CliProcess.Finish(process, limit.Token);
            if (result.ExitCode == 0 && before == 0)
            {
                Directory.Delete(run, recursive: true);
                continue;
            }
            Assert.Equal(130, result.ExitCode);
            Assert.Empty(result.Output);
            Assert.Contains($"engram train --data", result.Errors);
            Assert.EndsWith("--resume\n", result.Errors);
            return (
                Directory.GetDirectories(Path.Combine(run, "checkpoints")).Max(folder => long.Parse(Path.GetFileName(folder))),
                result.Errors
            );
        }
    }
}
