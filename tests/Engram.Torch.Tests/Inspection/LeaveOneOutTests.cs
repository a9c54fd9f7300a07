using Engram.Evaluation.Inspection;
using Engram.Evaluation.Layers;
using Engram.Models.Configuration;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Inspection;

public class LeaveOneOutTests
{
    private const string Text = "It starred Hicks's wife, Ellaline Terriss and Edmund Payne.";

    [Fact]
    public void Every_part_is_left_out_once()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var seen = LeaveOneOut.Run(new InspectedTorchModel(model), Text, model.Memory!);
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
            seen.Parts.Select(part => part.Part)
        );
        Assert.All(seen.Parts, part => Assert.Equal(seen.TokenIds.Count - 1, part.Nats.Length));
        Assert.All(seen.Parts, part => Assert.Contains(part.Nats, nats => Math.Abs(nats) > 1e-6));
        // What all lose together is the loss without memory, less the loss with it.
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        int[] ids = [.. seen.TokenIds];
        var hidden = model.Transformer.Forward(ids, [], 1, null).Hidden;
        var mean = model.Transformer.Loss(hidden.narrow(0, 0, ids.Length - 1), ids[1..]).item<float>();
        Assert.Equal(mean, seen.Loss.Zip(seen.Parts[0].Nats, (loss, rise) => loss + rise).Average(), 1e-4f);
    }

    /// <summary>A layer whose projection is zero carries nothing.</summary>
    [Fact]
    public void What_says_nothing_is_missed_by_nobody()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using (no_grad())
            model.Transformer.Parameters["model.layers.2.engram.wkv.weight"].Tensor.zero_();
        var parts = LeaveOneOut
            .Run(new InspectedTorchModel(model), Text, model.Memory!)
            .Parts.ToDictionary(part => part.Part, part => part.Nats);
        Assert.All(parts["layer=2"], nats => Assert.Equal(0, nats));
        Assert.Equal(parts["all"], parts["layer=1"]);
    }

    [Fact]
    public void Texts_that_cannot_be_read_are_refused()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 8 });
        Assert.Throws<ArgumentException>(() => LeaveOneOut.Run(new InspectedTorchModel(model), "", model.Memory!));
        Assert.Throws<ArgumentException>(() => LeaveOneOut.Run(new InspectedTorchModel(model), Text, model.Memory!));
    }

    [Fact]
    public void Gates_are_counted_where_they_lie()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var texts = SampledTokens.Of(model, [MarkedText.Words(Text), MarkedText.Words("No more.")]).ToList();
        var histograms = GateHistogram.Measure(new InspectedTorchModel(model), model.Memory!, texts, bins: 4);
        Assert.Equal(
            [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)],
            histograms.Select(histogram => (histogram.Layer, histogram.Stream))
        );
        var inspections = new[] { Text, "No more." }.Select(text => MemoryInspection.Run(model, text, model.Memory)).ToList();
        foreach (var histogram in histograms)
        {
            float[] gates =
            [
                .. inspections.SelectMany(inspection =>
                    inspection.Layers.Single(layer => layer.Layer == histogram.Layer).Gate.Where((_, i) => i % 4 == histogram.Stream)
                ),
            ];
            Assert.Equal(
                [.. Enumerable.Range(0, 4).Select(bin => gates.LongCount(gate => Math.Min(3, (int)(gate * 4)) == bin))],
                histogram.Counts
            );
            Assert.Equal(gates.Average(gate => (double)gate), histogram.Mean, 1e-6);
        }
    }

    [Fact]
    public void A_memory_without_a_gate_has_gates_of_one_and_dead_positions_none()
    {
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { Gate = EngramGate.None, DeadTokenIds = [0] }));
        var text = SampledTokens.Of(model, [MarkedText.Words("No more.")]).Single();
        Assert.All(
            GateHistogram.Measure(new InspectedTorchModel(model), model.Memory!, [text]),
            histogram => Assert.Equal((text.Ids.Length - 1, 1.0), ((int)histogram.Counts[^1], histogram.Mean))
        );
    }
}
