using System.Runtime.InteropServices;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;
using Engram.Torch;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Evaluation.Inspection;

/// <summary>The engine on libtorch as an inspected model.</summary>
/// <param name="model">Stays the caller's.</param>
public sealed class InspectedTorchModel(LanguageModel model) : IInspectedModel
{
    /// <inheritdoc/>
    public ModelConfiguration Configuration => model.Configuration;

    /// <inheritdoc/>
    public Tokenizer Tokenizer => model.Tokenizer;

    /// <inheritdoc/>
    public MemoryBank? Memory => model.Memory;

    /// <inheritdoc/>
    public IReadOnlyList<MemoryReading> Read(int[] ids, MemoryBank memory)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var taps = new ForwardTaps { MemoryLayers = memory.LayerIds };
        var starts = model.Transformer.Documents.Starts(ids);
        using var gathered = model.GatherMemory(ids, starts, 1, memory);
        model.Transformer.Forward(ids, starts, 1, gathered, taps: taps);
        return
        [
            .. memory
                .LayerIds.Select(taps.Memory)
                .Select(seen => new MemoryReading(Values(seen.Memory), Values(seen.HiddenIn), Values(seen.Gate), Values(seen.Output))),
        ];
    }

    /// <inheritdoc/>
    public float[] Losses(int[] ids, MemoryBank memory, int? closedStream)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var starts = model.Transformer.Documents.Starts(ids);
        using var gathered = model.GatherMemory(ids, starts, 1, memory)!;
        gathered.ClosedStream = closedStream;
        var hidden = model.Transformer.Forward(ids, starts, 1, gathered).Hidden;
        var next = tensor(ids[1..], ScalarType.Int64, hidden.device).unsqueeze(1);
        return Values(
            model.Transformer.Logits(hidden.narrow(0, 0, ids.Length - 1)).to(ScalarType.Float32).log_softmax(-1).gather(1, next).neg()
        );
    }

    private static float[] Values(Tensor tensor)
    {
        using var host = tensor.to(ScalarType.Float32).cpu().contiguous();
        return MemoryMarshal.Cast<byte, float>(host.bytes).ToArray();
    }
}
