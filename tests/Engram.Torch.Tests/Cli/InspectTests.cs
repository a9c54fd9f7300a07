using System.Text.Json;

namespace Engram.Torch.Tests.Cli;

/// <summary>engram inspect, run as a user does, on a model of six training steps.</summary>
[Collection(nameof(TrainedRun))]
public sealed class InspectTests(TrainedRun trained)
{
    [Fact]
    public async Task SaysWhatEachPartCarried_AndHowFarGatesOpen()
    {
        string[] arguments = ["inspect", "--model", trained.Model, "--threads", "1", "--json"];
        var json = (await CliProcess.Run([.. arguments, "--prompt", "the mare tamed a horse", "--leave-one-out"])).Ok().Json;
        var leftOut = json.GetProperty("leave_one_out");
        var loss = leftOut.GetProperty("loss").GetArrayLength();
        Assert.Equal(json.GetProperty("tokens").GetArrayLength() - 1, loss);
        Assert.Equal(
            [
                "all",
                "layer=1",
                "layer=2",
                "order=2",
                "order=2,head=0",
                "order=2,head=1",
                "order=3",
                "order=3,head=0",
                "order=3,head=1",
                "stream=0",
                "stream=1",
                "stream=2",
                "stream=3",
            ],
            leftOut.GetProperty("parts").EnumerateArray().Select(part => part.GetProperty("part").GetString())
        );
        Assert.All(leftOut.GetProperty("parts").EnumerateArray(), part => Assert.Equal(loss, part.GetProperty("nats").GetArrayLength()));

        var gates = (await CliProcess.Run([.. arguments, "--data", trained.Data, "--limit", "2", "--length", "32"]))
            .Ok()
            .Json.GetProperty("gates")
            .EnumerateArray()
            .ToArray();
        Assert.Equal(2 * 4, gates.Length); // layers and streams
        Assert.All(gates, gate => Assert.Equal(64, gate.GetProperty("counts").EnumerateArray().Sum(count => count.GetInt64())));
    }

    [Fact]
    public async Task BothEngines_SayTheSame()
    {
        async Task<JsonElement> By(string engine, params string[] input) =>
            (await CliProcess.Run(["inspect", "--model", trained.Model, "--threads", "1", "--json", "--engine", engine, .. input]))
                .Ok()
                .Json;
        string[] text = ["--prompt", "the mare tamed a horse", "--leave-one-out"],
            data = ["--data", trained.Data, "--limit", "2", "--length", "32"];
        var (managed, torch) = (await By("managed", text), await By("torch", text));
        Assert.Equal($"{torch.GetProperty("tokens")}", $"{managed.GetProperty("tokens")}");
        AssertNear(torch.GetProperty("layers"), managed.GetProperty("layers"));
        AssertNear(torch.GetProperty("leave_one_out"), managed.GetProperty("leave_one_out"));
        var means = new List<double[]>();
        foreach (var engine in (string[])["managed", "torch"])
            means.Add([
                .. (await By(engine, data)).GetProperty("gates").EnumerateArray().Select(gate => gate.GetProperty("mean").GetDouble()),
            ]);
        Assert.All(means[0].Zip(means[1]), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    /// <summary>The same JSON, numbers to 1e-4.</summary>
    private static void AssertNear(JsonElement expected, JsonElement actual)
    {
        Assert.Equal(expected.ValueKind, actual.ValueKind);
        switch (expected.ValueKind)
        {
            case JsonValueKind.Number:
                Assert.Equal(expected.GetDouble(), actual.GetDouble(), 1e-4);
                break;
            case JsonValueKind.Array:
                Assert.Equal(expected.GetArrayLength(), actual.GetArrayLength());
                foreach (var (left, right) in expected.EnumerateArray().Zip(actual.EnumerateArray()))
                    AssertNear(left, right);
                break;
            case JsonValueKind.Object:
                foreach (var property in expected.EnumerateObject())
                    AssertNear(property.Value, actual.GetProperty(property.Name));
                break;
            default:
                Assert.Equal(expected.GetRawText(), actual.GetRawText());
                break;
        }
    }
}
