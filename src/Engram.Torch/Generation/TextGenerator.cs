using System.Runtime.InteropServices;
using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Torch.Sequences;
using static TorchSharp.torch;

namespace Engram.Torch.Generation;

/// <summary>Continues a text token by token with libtorch.</summary>
/// <param name="model">Stays the caller's.</param>
public sealed class TextGenerator(LanguageModel model) : TextGeneration(model.Configuration, model.Tokenizer)
{
    /// <inheritdoc/>
    protected override Text Begin(MemoryBank? memory) => new StateText(model, memory);

    private sealed class StateText(LanguageModel model, MemoryBank? memory) : Text
    {
        private readonly SequenceState _state = model.Transformer.NewState();

        public override void Read(int[] ids, float[] logits, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inference = inference_mode();
            using var scope = NewDisposeScope();
            var hidden = model.Continue([_state], ids, memory);
            var last = model.Transformer.Logits(hidden.narrow(0, ids.Length - 1, 1)).to(ScalarType.Float32).cpu().contiguous();
            MemoryMarshal.Cast<byte, float>(last.bytes).CopyTo(logits);
        }

        public override void Dispose()
        {
            _state.Dispose();
            base.Dispose();
        }
    }
}
