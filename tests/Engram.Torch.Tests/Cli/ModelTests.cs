using System.Runtime.InteropServices;
using System.Text.Json;
using Engram.Models.Configuration;
using Engram.Storage;

namespace Engram.Torch.Tests.Cli;

/// <summary>The commands that run a trained model.</summary>
[Collection(nameof(TrainedRun))]
public sealed class ModelTests(TrainedRun trained)
{
    private const string Text = "The mare\ntamed <b>";

    [Fact]
    public async Task Generate_IsAFunctionOfItsSeed()
    {
        string[] arguments =
        [
            "generate",
            "--model",
            trained.Model,
            "--prompt",
            "The mare",
            "--max-new-tokens",
            "12",
            "--seed",
            "3",
            "--threads",
            "1",
        ];
        var plain = (await CliProcess.Run(arguments)).Ok();
        var json = (await CliProcess.Run([.. arguments, "--json"])).Ok().Json;
        Assert.Equal(plain.Output, json.GetProperty("text").GetString() + "\n");
        Assert.InRange(json.GetProperty("generated_tokens").GetInt32(), 1, 12);
        Assert.Contains("tokens/s", plain.ErrorLine);
        (await CliProcess.Run([.. arguments, "--memory", "off"])).Ok();
    }

    [Fact]
    public async Task Generate_ReadsFilesAndLines_WithBothEngines()
    {
        string[] arguments =
        [
            "generate",
            "--model",
            trained.Model,
            "--max-new-tokens",
            "8",
            "--temperature",
            "0",
            "--threads",
            "1",
            "--json",
        ];
        var file = trained["prompt.txt"];
        File.WriteAllText(file, "The mare\n");
        var expected = (await CliProcess.Run([.. arguments, "--prompt", "The mare"])).Ok().Json;
        Assert.Contains(expected.GetProperty("finish_reason").GetString(), new[] { "max_new_tokens", "end_of_text" });
        foreach (
            var result in new[]
            {
                await CliProcess.Run([.. arguments, "--file", file]),
                await CliProcess.RunWithInput("The mare\r\n", [.. arguments, "--file", "-"]),
                await CliProcess.RunWithInput("The mare\n", [.. arguments, "--interactive"]),
                await CliProcess.Run([.. arguments, "--prompt", "The mare", "--engine", "torch"]),
            }
        )
            Assert.Equal(expected.GetProperty("text").GetString(), result.Ok().Json.GetProperty("text").GetString());
        Assert.Contains("--interactive", (await CliProcess.Run(arguments)).ErrorLine);
        Assert.Contains(
            "--engine torch",
            (await CliProcess.Run([.. arguments, "--prompt", "x", "--engine", "managed", "--device", "cuda"])).ErrorLine
        );
    }

    [Fact]
    public async Task UsesOfTheMemory_AreNamedByWhatRefusesAnother()
    {
        var refused = await CliProcess.Run("generate", "--model", trained.Model, "--prompt", "a", "--memory", "of");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("--memory is one of on, off, ", refused.ErrorLine);
        Assert.Contains("not 'of'.", refused.ErrorLine);
        foreach (var use in new[] { "one-row", "permuted" })
            (await CliProcess.Run("generate", "--model", trained.Model, "--prompt", "a", "--memory", use, "--max-new-tokens", "2")).Ok();
        var placed = await CliProcess.Run("generate", trained.Model, "--prompt", "a");
        Assert.Equal(2, placed.ExitCode);
        Assert.Contains("A model is named with --model.", placed.ErrorLine);
    }

    [Fact]
    public async Task Converted_WeightsLoseLittle_InBothEngines()
    {
        var target = trained["int8"];
        var told = (await CliProcess.Run("model", "convert", trained.Model, "--output", target, "--format", "int8", "--json")).Ok().Json;
        Assert.True(told.GetProperty("bytes").GetInt64() < told.GetProperty("source_bytes").GetInt64());
        var exact = (await Loss("on")).GetProperty("nats").GetDouble();
        Assert.Equal(exact, (await Loss("on", "--engine", "torch")).GetProperty("nats").GetDouble(), 1e-5);
        string[] arguments =
        [
            "eval",
            "loss",
            "--model",
            target,
            "--data",
            trained.Data,
            "--limit",
            "4",
            "--length",
            "32",
            "--threads",
            "1",
            "--json",
        ];
        var managed = (await CliProcess.Run(arguments)).Ok().Json.GetProperty("nats").GetDouble();
        var torch = (await CliProcess.Run([.. arguments, "--engine", "torch"])).Ok().Json.GetProperty("nats").GetDouble();
        Assert.NotEqual(exact, managed);
        Assert.Equal(exact, managed, 0.02);
        Assert.Equal(torch, managed, 1e-5);
        Assert.Contains(
            "exists",
            (await CliProcess.Run("model", "convert", trained.Model, "--output", target, "--format", "int4")).ErrorLine
        );
    }

    [Theory]
    [InlineData("generate", "--prompt")]
    [InlineData("inspect", "--prompt")]
    public async Task MappedTables_WithoutNumbers_AreFound(string command, string input)
    {
        var damaged = trained["nan-" + command];
        foreach (var file in Directory.GetFiles(trained.Model, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(damaged, Path.GetRelativePath(trained.Model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        foreach (var path in Directory.GetFiles(Path.Combine(damaged, "engram"), "layer-*"))
        {
            long from,
                to;
            using (var table = SafetensorsFile.Open(path))
                (from, to) = (
                    table.Tensors.Values.Min(tensor => tensor.Offset),
                    table.Tensors.Values.Max(tensor => tensor.Offset + tensor.ByteLength)
                );
            using var stream = new FileStream(path, FileMode.Open);
            stream.Position = from;
            stream.Write([.. Enumerable.Repeat((byte)0xFF, (int)(to - from))]);
        }

        var result = await CliProcess.Run(command, "--model", damaged, "--tables", "mapped", "--threads", "1", input, "The mare");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("not finite", result.ErrorLine);
        Assert.Contains("engram table verify", result.ErrorLine);
    }

    [Theory]
    [InlineData("Top-p 2", "--top-p", "2")]
    [InlineData("--temperature: Temperature -1", "--temperature", "-1")]
    [InlineData("0", "--max-new-tokens", "0")]
    [InlineData("'warm'", "--temperature", "warm")]
    public async Task Generate_WrongValue_IsNamed(string named, params string[] arguments)
    {
        var result = await CliProcess.Run(["generate", "--model", trained.Model, "--prompt", "x", .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
    }

    [Fact]
    public async Task Model_ThatIsMissingOrDamaged_IsOneLine()
    {
        var missing = await CliProcess.Run("generate", "--model", trained["nowhere"], "--prompt", "x");
        Assert.Equal(1, missing.ExitCode);
        Assert.Contains(trained["nowhere"], missing.ErrorLine);

        var damaged = trained["damaged"];
        foreach (var file in Directory.GetFiles(trained.Model, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(damaged, Path.GetRelativePath(trained.Model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        using (var weights = new FileStream(Path.Combine(damaged, "model.safetensors"), FileMode.Open))
            weights.SetLength(weights.Length - 1);
        var result = await CliProcess.Run("generate", "--model", damaged, "--prompt", "x");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("model.safetensors", result.ErrorLine);
    }

    [Fact]
    public async Task Loss_DependsOnTheMemory()
    {
        var (on, off, shuffled, random) = (await Loss("on"), await Loss("off"), await Loss("shuffled"), await Loss("random"));
        Assert.Equal(on.GetProperty("tokens").GetInt64(), off.GetProperty("tokens").GetInt64());
        var losses = new[] { on, off, shuffled, random }.Select(loss => loss.GetProperty("nats").GetDouble()).ToArray();
        Assert.Equal(4, losses.Distinct().Count());
        Assert.Equal(losses[0], (await Loss("on", "--tables", "mapped")).GetProperty("nats").GetDouble());
        Assert.Equal(losses[0], (await Loss("on", "--tables", "cached", "--row-cache", "2KiB")).GetProperty("nats").GetDouble());
        Assert.Equal(trained.Result.GetProperty("validation_loss").GetDouble(), losses[0], 1e-5);
        Assert.Equal(Math.Exp(losses[0]), on.GetProperty("perplexity").GetDouble(), 1e-9);
    }

    [Theory]
    [InlineData("'64 apples'", "--tables", "cached", "--row-cache", "64 apples")]
    [InlineData("'0'", "--tables", "cached", "--row-cache", "0")]
    [InlineData("needs --tables cached", "--row-cache", "64MiB")]
    [InlineData("'attic'", "--tables", "attic")]
    public async Task Tables_WrongPlaceOrSize_IsNamed(string named, params string[] arguments)
    {
        var result = await CliProcess.Run(["generate", "--model", trained.Model, "--prompt", "x", .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
    }

    [Fact]
    public async Task TableQuality_ComparesFormats()
    {
        var json = (
            await CliProcess.Run(
                "table",
                "quality",
                "--model",
                trained.Model,
                "--data",
                trained.Data,
                "--limit",
                "4",
                "--length",
                "32",
                "--threads",
                "1",
                "--format",
                "float32",
                "--format",
                "int4/4",
                "--json"
            )
        )
            .Ok()
            .Json.EnumerateArray()
            .ToArray();
        Assert.Equal(["float32", "int4/4"], json.Select(format => format.GetProperty("format").GetString()));
        Assert.Equal(0, json[0].GetProperty("difference").GetDouble());
        Assert.Equal([32, 8], json.Select(format => format.GetProperty("row_bytes").GetInt32()));
        Assert.Equal(trained.Result.GetProperty("validation_loss").GetDouble(), json[0].GetProperty("nats").GetDouble(), 1e-5);
        var wrong = await CliProcess.Run("table", "quality", "--model", trained.Model, "--data", trained.Data, "--format", "int5");
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("'int5'", wrong.ErrorLine);
    }

    [Fact]
    public async Task Loss_AsText_NamesItsUnits()
    {
        var text = (
            await CliProcess.Run(
                "eval",
                "loss",
                "--model",
                trained.Model,
                "--data",
                trained.Data,
                "--limit",
                "2",
                "--length",
                "16",
                "--threads",
                "1"
            )
        )
            .Ok()
            .Output;
        Assert.Matches(@"^\d+\.\d{4} nats per token, \d+\.\d{4} bits per byte, perplexity \d+\.\d\d over 32 tokens \(memory on\)\n$", text);
        var wrong = await CliProcess.Run("eval", "loss", "--model", trained.Model, "--data", trained.Data, "--memory", "upside-down");
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("upside-down", wrong.ErrorLine);
    }

    [Fact]
    public async Task Inspect_GivesRowsAndGatesOfEveryToken_InThreeForms()
    {
        var (page, dump) = (trained["gates.html"], trained["trace.safetensors"]);
        var json = (
            await CliProcess.Run(
                "inspect",
                "--model",
                trained.Model,
                "--prompt",
                Text,
                "--html",
                page,
                "--dump",
                dump,
                "--threads",
                "1",
                "--json"
            )
        )
            .Ok()
            .Json;
        var configuration = ModelConfiguration.Load(Path.Combine(trained.Model, "config.json"));
        var memory = configuration.Engram!;
        var tokens = json.GetProperty("tokens").EnumerateArray().ToArray();
        Assert.Equal("<|endoftext|>", tokens[0].GetProperty("text").GetString());
        Assert.Equal(Text, string.Concat(tokens.Skip(1).Select(token => token.GetProperty("text").GetString())));
        var layers = json.GetProperty("layers").EnumerateArray().ToArray();
        Assert.Equal(memory.LayerIds, layers.Select(layer => layer.GetProperty("layer").GetInt32()));

        using var tensors = SafetensorsFile.Open(dump);
        foreach (var layer in layers)
        {
            var name = $"layer.{layer.GetProperty("layer").GetInt32()}";
            var positions = layer.GetProperty("positions").EnumerateArray().ToArray();
            Assert.Equal(tokens.Length, positions.Length);
            Assert.Equal(
                MemoryMarshal.Cast<byte, long>(tensors.Bytes(name + ".rows")).ToArray(),
                positions.SelectMany(position => Ngrams(position).SelectMany(ngram => Numbers(ngram, "rows")))
            );
            Assert.Equal(
                MemoryMarshal.Cast<byte, float>(tensors.Bytes(name + ".gate")).ToArray(),
                positions.SelectMany(position => position.GetProperty("gate").EnumerateArray().Select(gate => gate.GetSingle()))
            );
            Assert.All(
                positions,
                position =>
                {
                    Assert.Equal(
                        Enumerable.Range(2, memory.MaxNgramSize - 1),
                        Ngrams(position).Select(ngram => ngram.GetProperty("order").GetInt32())
                    );
                    Assert.All(
                        Ngrams(position),
                        ngram => Assert.Equal(ngram.GetProperty("order").GetInt32(), ngram.GetProperty("tokens").GetArrayLength())
                    );
                }
            );
            Assert.Equal(JsonValueKind.Null, Ngrams(positions[0]).First().GetProperty("tokens")[0].ValueKind);
        }

        var html = File.ReadAllText(page);
        Assert.Contains("&lt;b&gt;", html.Replace("&#183;", ""));
        Assert.DoesNotContain("<b>", html);
        Assert.DoesNotContain("http", html);
        Assert.DoesNotContain("<script", html);
        Assert.All(
            Ngrams(layers[0].GetProperty("positions")[1]).SelectMany(ngram => Numbers(ngram, "rows")),
            row => Assert.Contains($"{row}", html)
        );

        static IEnumerable<JsonElement> Ngrams(JsonElement position) => position.GetProperty("ngrams").EnumerateArray();
        static IEnumerable<long> Numbers(JsonElement element, string name) =>
            element.GetProperty(name).EnumerateArray().Select(number => number.GetInt64());
    }

    [Fact]
    public async Task Inspect_AsText_ShowsNgramsAndGates()
    {
        var text = (await CliProcess.Run("inspect", "--model", trained.Model, "--prompt", Text, "--threads", "1")).Ok().Output;
        Assert.Contains("∅·<|endoftext|>  rows ", text);
        Assert.Matches(@"\n +1  \S+  gate( \d\.\d\d)+ *\n", text);
        Assert.DoesNotContain("\e[", text);
    }

    private async Task<JsonElement> Loss(string memory, params string[] more) =>
        (
            await CliProcess.Run([
                "eval",
                "loss",
                "--model",
                trained.Model,
                "--data",
                trained.Data,
                "--limit",
                "4",
                "--length",
                "32",
                "--threads",
                "1",
                "--memory",
                memory,
                "--json",
                .. more,
            ])
        )
            .Ok()
            .Json;
}
