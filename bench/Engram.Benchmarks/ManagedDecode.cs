using System.Diagnostics;
using System.Numerics.Tensors;
using Engram.Inference;

namespace Engram.Benchmarks;

/// <summary>A model of the managed engine that reads a text token by token, as generation does.</summary>
internal sealed class ManagedDecode(EngramModel model) : IDisposable
{
    private readonly float[] _logits = new float[model.Configuration.VocabularySize];

    /// <summary>
    /// Reads the prompt, then the rest one by one, each with the most likely next token. Returns seconds per token after the prompt.
    /// </summary>
    public double Read(int[] ids, int prompt)
    {
        var sequence = model.NewSequence();
        model.Read(sequence, ids.AsSpan(0, prompt), _logits);
        var clock = Stopwatch.StartNew();
        for (var t = prompt; t < ids.Length; t++)
        {
            model.Read(sequence, ids.AsSpan(t, 1), _logits);
            TensorPrimitives.IndexOfMax<float>(_logits);
        }

        return clock.Elapsed.TotalSeconds / (ids.Length - prompt);
    }

    public void Dispose() => model.Dispose();
}
