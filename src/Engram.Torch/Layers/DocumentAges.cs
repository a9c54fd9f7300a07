using System.Collections.Frozen;
using Engram.Torch.Generation;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>Where documents begin inside packed sequences, in the two forms that layers ask for.</summary>
internal static class DocumentAges
{
    /// <summary>
    /// For every position, row-major [B, T], how many positions before it the memory may look back to: those of its document since the last dead
    /// position, as in the n-gram window. −1 at a dead position. Continues from a decode state and updates it.
    /// </summary>
    /// <param name="starts">True at the first token of each document, or empty.</param>
    /// <param name="sequences">B.</param>
    /// <param name="length">T.</param>
    /// <param name="state">Decode state, or null for whole sequences.</param>
    /// <param name="reset">False counts from the start of the sequence, whatever the documents.</param>
    /// <param name="ids">Token ids [B, T]; not needed without dead ones.</param>
    /// <param name="dead">Token ids of dead positions, or null.</param>
    public static int[] Compute(ReadOnlySpan<bool> starts, int sequences, int length, DecodeState? state, bool reset, ReadOnlySpan<int> ids = default, FrozenSet<int>? dead = null)
    {
        var ages = new int[sequences * length];
        for (var b = 0; b < sequences; b++)
        {
            var age = state?.Ages[b] ?? -1;
            for (var t = 0; t < length; t++)
            {
                var at = b * length + t;
                age = dead?.Count > 0 && dead.Contains(ids[at]) ? -1 : reset && starts.Length > 0 && starts[at] ? 0 : age + 1;
                ages[at] = age;
            }

            if (state is not null)
                state.Ages[b] = age;
        }

        return ages;
    }

    /// <summary>
    /// Mask [B, 1, T, U] that keeps attention inside documents, U counting cached positions too, or null where plain causal attention is meant.
    /// Records the documents of the new positions in the state.
    /// </summary>
    public static Tensor? AttentionMask(ReadOnlySpan<bool> starts, int sequences, int length, DecodeState? state, bool documentMask, Device device)
    {
        if (!documentMask)
            return null;
        var documents = state?.Documents ?? [.. Enumerable.Range(0, sequences).Select(_ => new List<int>())];
        var before = documents[0].Count;
        var visible = before + length;
        var allowed = new bool[(long)sequences * length * visible];
        for (var b = 0; b < sequences; b++)
        {
            for (var t = 0; t < length; t++)
            {
                var current = documents[b].Count > 0 ? documents[b][^1] : 0;
                documents[b].Add(starts.Length > 0 && starts[b * length + t] ? current + 1 : current);
            }

            for (var t = 0; t < length; t++)
                for (var u = 0; u <= before + t; u++)
                    allowed[((long)b * length + t) * visible + u] = documents[b][u] == documents[b][before + t];
        }

        return tensor(allowed, [sequences, 1, length, visible], ScalarType.Bool, device);
    }
}
