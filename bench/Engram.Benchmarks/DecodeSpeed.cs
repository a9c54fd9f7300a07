using System.Diagnostics;
using Engram.Models.Memory;
using Engram.Models.Sequences;
using Engram.Torch;
using Engram.Torch.Memory;
using static TorchSharp.torch;

namespace Engram.Benchmarks;

/// <summary>A model that reads a text token by token with its caches, as generation does, beside others that read the same text.</summary>
internal sealed class DecodeSpeed(string name, LanguageModel model) : IDisposable
{
    private readonly MemoryRows _rows = new();

    public string Name { get; } = name;

    /// <summary>Seconds per token of every round.</summary>
    public List<double> Seconds { get; } = [];

    /// <summary>Of which, measured on their own: addresses and rows of one token in all layers.</summary>
    public List<double> ReadSeconds { get; } = [];

    /// <summary>
    /// Reads the prompt, then the rest one by one, each with the logits of the next. Returns seconds per token after the prompt.
    /// </summary>
    public double Read(int[] ids, int prompt)
    {
        using var state = model.Transformer.NewState();
        Step(ids[..prompt]);
        var clock = Stopwatch.StartNew();
        for (var t = prompt; t < ids.Length; t++)
            Step(ids[t..(t + 1)]);
        return clock.Elapsed.TotalSeconds / (ids.Length - prompt);

        void Step(int[] next)
        {
            using var inference = inference_mode();
            using var scope = NewDisposeScope();
            var hidden = model.Continue([state], next, model.Memory);
            model.Transformer.Logits(hidden.narrow(0, next.Length - 1, 1)).argmax().item<long>();
        }
    }

    /// <summary>Addresses and gathers the rows of the same text without the model. Returns seconds per token.</summary>
    public double ReadRows(int[] ids)
    {
        var history = new TokenHistory(model.Transformer.Documents);
        var clock = Stopwatch.StartNew();
        foreach (var id in ids)
        {
            using var inference = inference_mode();
            model.Memory!.AddressNext([history], [id], _rows);
            history.Append([id]);
            using var memory = model.Memory.Gather(_rows, 0, 1, 1, CPU, requiresGradient: false);
            foreach (var layer in model.Memory.LayerIds)
                memory.Layer(layer);
        }

        return clock.Elapsed.TotalSeconds / ids.Length;
    }

    public void Dispose() => model.Dispose();
}
