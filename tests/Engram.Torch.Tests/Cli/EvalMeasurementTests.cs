namespace Engram.Torch.Tests.Cli;

/// <summary>The measurements of their own below engram eval: loss, world, layers, ruler, longppl.</summary>
[Collection(nameof(TrainedRun))]
public sealed class EvalMeasurementTests(TrainedRun trained)
{
    [Fact]
    public async Task Loss_WithoutAPart_IsAnother()
    {
        string[] arguments = ["eval", "loss", "--model", trained.Model, "--data", trained.Data, "--limit", "2", "--length", "32", "--json"];
        var whole = (await CliProcess.Run(arguments)).Ok().Json;
        var silenced = (await CliProcess.Run([.. arguments, "--suppress", "order=3"])).Ok().Json;
        Assert.Equal("order=3", silenced.GetProperty("suppressed").GetString());
        Assert.NotEqual(whole.GetProperty("nats").GetDouble(), silenced.GetProperty("nats").GetDouble());
        var torch = (await CliProcess.Run([.. arguments, "--suppress", "order=3", "--engine", "torch"])).Ok().Json;
        Assert.Equal(torch.GetProperty("nats").GetDouble(), silenced.GetProperty("nats").GetDouble(), 1e-5);
        Assert.Contains("neither prompt nor answer", (await CliProcess.Run([.. arguments, "--suppress", "order=3@prompt"])).ErrorLine);
    }

    [Theory]
    [InlineData(true, "layers 1, 2", "--suppress", "layer=9")]
    [InlineData(true, "orders 2, 3", "--suppress", "order=9")]
    [InlineData(false, "--suppress: The model has no memory", "--suppress", "order=2")]
    [InlineData(false, "--memory: The model has no memory", "--memory", "on")]
    public async Task World_RefusesPartsThatThereAreNot_AtOnce(bool withMemory, string message, params string[] arguments)
    {
        var model = withMemory ? trained.Model : trained.Untrained("tiny-dense", 256);
        var result = await CliProcess.Run(["eval", "world", await World(), "--model", model, .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Contains(message, result.ErrorLine);
    }

    /// <summary>A small world, made once.</summary>
    private async Task<string> World()
    {
        var world = trained["world"];
        if (!Directory.Exists(world))
            (
                await CliProcess.Run(
                    "data",
                    "world",
                    "--output",
                    world,
                    "--facts",
                    "200",
                    "--tokens",
                    "60000",
                    "--window",
                    "32",
                    "--questions",
                    "4"
                )
            ).Ok();
        return world;
    }

    [Fact]
    public async Task World_IsAsked_InBothEngines()
    {
        var world = await World();
        string[] arguments =
        [
            "eval",
            "world",
            world,
            "--model",
            trained.Model,
            "--kinds",
            "contiguous,arithmetic",
            "--limit",
            "3",
            "--json",
        ];
        var uses = (await CliProcess.Run([.. arguments, "--memory", "on,off"])).Ok().Json;
        var managed = uses[0];
        var torch = (await CliProcess.Run([.. arguments, "--engine", "torch"])).Ok().Json[0];
        Assert.Equal(["on", "off"], uses.EnumerateArray().Select(use => use.GetProperty("memory").GetString()));
        Assert.NotEqual(managed.GetProperty("scores").ToString(), uses[1].GetProperty("scores").ToString());
        Assert.InRange(managed.GetProperty("scores")[0].GetProperty("written").GetDouble(), 0, 1);
        var scores = managed.GetProperty("scores").EnumerateArray().ToArray();
        Assert.Equal(
            [("contiguous", 3), ("arithmetic", 3)],
            scores
                .Where(score => score.GetProperty("group").GetString() == "all")
                .Select(score => (score.GetProperty("kind").GetString()!, score.GetProperty("questions").GetInt32()))
        );
        foreach (var (one, other) in scores.Zip(torch.GetProperty("scores").EnumerateArray()))
            Assert.Equal(one.GetProperty("bits").GetDouble(), other.GetProperty("bits").GetDouble(), 1e-2);
        Assert.Contains(
            "contiguous",
            (await CliProcess.Run("eval", "world", world, "--model", trained.Model, "--kinds", "unknown")).ErrorLine
        );
    }

    [Fact]
    public async Task Layers_AreReadAndCompared()
    {
        var json = (
            await CliProcess.Run(
                "eval",
                "layers",
                trained.Model,
                trained.Untrained("tiny-dense", 256),
                "--data",
                trained.Data,
                "--limit",
                "3",
                "--length",
                "32",
                "--minibatch",
                "8",
                "--json"
            )
        )
            .Ok()
            .Json;
        var models = json.GetProperty("models").EnumerateArray().ToArray();
        Assert.Equal(2, models.Length);
        foreach (var model in models)
        {
            var layers = model.GetProperty("layers").EnumerateArray().ToArray();
            // The last one is the final prediction itself.
            Assert.Equal(0, layers[^1].GetProperty("final_to_layer").GetDouble(), 1e-5);
            Assert.Equal(1, layers[^1].GetProperty("top1_agreement").GetDouble());
            Assert.True(layers[0].GetProperty("final_to_layer").GetDouble() > 0);
        }
        var similarity = json.GetProperty("similarity");
        Assert.Equal(models[0].GetProperty("layers").GetArrayLength(), similarity.GetProperty("cka").GetArrayLength());
        Assert.Equal(models[1].GetProperty("layers").GetArrayLength(), similarity.GetProperty("aligned").GetArrayLength());
    }

    [Fact]
    public async Task LongTexts_AreAskedAndMeasured()
    {
        var model = trained.Untrained("tiny-engram", 1536);
        var answers = trained["ruler.jsonl"];
        string[] arguments =
        [
            "eval",
            "ruler",
            "--model",
            model,
            "--length",
            "1536",
            "--limit",
            "1",
            "--tasks",
            "niah_single_1,vt",
            "--samples",
            answers,
            "--json",
        ];
        var first = (await CliProcess.Run(arguments)).Ok().Json;
        var ruler = first[0];
        Assert.Equal(
            ["niah_single_1", "vt"],
            ruler.GetProperty("tasks").EnumerateArray().Select(task => task.GetProperty("task").GetString())
        );
        Assert.Equal((1536, "on"), (ruler.GetProperty("length").GetInt32(), ruler.GetProperty("memory").GetString()));
        Assert.Equal(2, File.ReadAllLines(answers).Length);
        Assert.Equal(
            ["own_material", "given_material"],
            ruler.GetProperty("tasks")[0].EnumerateObject().Select(part => part.Name).Reverse().Take(2)
        );
        // A file is gone on with only if that is asked for, and holds the answers of every use.
        Assert.Contains("--resume", (await CliProcess.Run(arguments)).ErrorLine);
        var both = (await CliProcess.Run([.. arguments, "--resume", "--memory", "on,off"])).Ok().Json;
        Assert.Equal(ruler.ToString(), both[0].ToString());
        Assert.Equal("off", both[1].GetProperty("memory").GetString());
        Assert.Equal(4, File.ReadAllLines(answers).Length);

        var keys = trained["keys"];
        Directory.CreateDirectory(keys);
        File.WriteAllText(Path.Combine(keys, "slice_0.txt"), "[0, 40];[100, 120]");
        var source = trained["long.txt"];
        File.WriteAllText(source, SampleCorpus.Text()[..2000]);
        var longPpl = (
            await CliProcess.Run("eval", "longppl", source, "--model", trained.Model, "--keys", keys, "--length", "200", "--json")
        )
            .Ok()
            .Json;
        Assert.InRange(longPpl.GetProperty("key_tokens").GetInt32(), 1, longPpl.GetProperty("tokens").GetInt32() - 1);
        var text = longPpl.GetProperty("texts")[0];
        Assert.Equal(
            Math.Exp(text.GetProperty("key_nats").GetDouble()),
            longPpl.GetProperty("long_perplexity").GetDouble(),
            1e-6 * longPpl.GetProperty("long_perplexity").GetDouble()
        );
        Assert.Equal(keys, longPpl.GetProperty("evaluator").GetString());

        // Intervals of other texts, or behind what is read, are told; where nothing is left, that is an error.
        File.WriteAllText(Path.Combine(keys, "slice_0.txt"), "[0, 40];[1900, 1910];[5000, 5010]");
        string[] some = ["eval", "longppl", source, "--model", trained.Model, "--keys", keys, "--length", "200"];
        var told = await CliProcess.Run([.. some, "--json"]);
        text = told.Ok().Json.GetProperty("texts")[0];
        Assert.Equal(
            (3, 1, 1),
            (
                text.GetProperty("key_intervals").GetInt32(),
                text.GetProperty("intervals_behind_cut").GetInt32(),
                text.GetProperty("intervals_outside_text").GetInt32()
            )
        );
        Assert.Contains("2 of the 3 key intervals", told.Errors);
        File.WriteAllText(Path.Combine(keys, "slice_0.txt"), "[5000, 5010];[6000, 6001]");
        var none = await CliProcess.Run(some);
        Assert.Equal((1, ""), (none.ExitCode, none.Output));
        Assert.Contains("none of the 2 key intervals lies in the texts", none.Errors);
    }

    /// <summary>What a model makes of a text does not depend on where key intervals come from.</summary>
    [Fact]
    public async Task LongPerplexity_ReadFromWrittenKeys_IsTheSame()
    {
        var (source, keys) = (trained["key texts.txt"], trained["written keys"]);
        // Longer than the context.
        File.WriteAllText(source, SampleCorpus.Text()[..6000]);
        string[] arguments = ["eval", "longppl", source, "--model", trained.Model, "--json"];
        var written = (await CliProcess.Run([.. arguments, "--write-keys", keys])).Ok().Json;
        var read = (await CliProcess.Run([.. arguments, "--keys", keys])).Ok().Json;
        foreach (var value in new[] { "perplexity", "tokens", "key_tokens", "long_perplexity", "texts" })
            Assert.Equal(written.GetProperty(value).ToString(), read.GetProperty(value).ToString());
        Assert.Equal(Context(trained.Model) - 1, read.GetProperty("tokens").GetInt32());

        static int Context(string model) =>
            System
                .Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(model, "config.json")))
                .RootElement.GetProperty("max_position_embeddings")
                .GetInt32();
    }

    /// <summary>A folder of texts is read as a text is.</summary>
    [Fact]
    public async Task Layers_ReadTheTextsOfAFolder()
    {
        var folder = Directory.CreateDirectory(trained["layer texts"]).FullName;
        File.WriteAllText(Path.Combine(folder, "a.txt"), SampleCorpus.Text()[..400]);
        File.WriteAllText(Path.Combine(folder, "b.md"), SampleCorpus.Text()[400..900]);
        long Positions(System.Text.Json.JsonElement json) => json.GetProperty("models")[0].GetProperty("positions").GetInt64();
        async Task<long> Read(string text) =>
            Positions((await CliProcess.Run("eval", "layers", trained.Model, "--text", text, "--json")).Ok().Json);
        Assert.Equal(await Read(Path.Combine(folder, "a.txt")) + await Read(Path.Combine(folder, "b.md")), await Read(folder));
        Assert.Contains("nowhere", (await CliProcess.Run("eval", "layers", trained.Model, "--text", trained["nowhere"])).ErrorLine);
    }
}
