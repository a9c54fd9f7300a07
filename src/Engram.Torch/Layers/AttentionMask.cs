using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T new positions   U visible positions

/// <summary>Which positions attention may look back to.</summary>
internal static class AttentionMask
{
    private const int LeastSegmented = 512;

    /// <summary>
    /// Mask [B, 1, T, U], true where new position t, which is position offset + t of its sequence, may see position u: none behind its own,
    /// and none before the first token of its document. Null where plain causal attention is meant: all sequences at one position,
    /// documents all begun at 0.
    /// </summary>
    /// <param name="documents">
    /// Position of the first token of each new position's document, row-major [B, T]; empty where attention crosses documents.
    /// </param>
    /// <param name="offsets">Positions before the new ones, [B].</param>
    /// <param name="length">T.</param>
    /// <param name="device">Where the model computes.</param>
    public static Tensor? Of(ReadOnlySpan<int> documents, ReadOnlySpan<int> offsets, int length, Device device)
    {
        var visible = offsets[0] + length;
        foreach (var offset in offsets)
            visible = Math.Max(visible, offset + length);
        if (offsets.Count(offsets[0]) == offsets.Length && !documents.ContainsAnyExcept(0))
            return null;
        var allowed = new bool[(long)offsets.Length * length * visible];
        for (var b = 0; b < offsets.Length; b++)
        for (var t = 0; t < length; t++)
        {
            var row = b * length + t;
            var from = documents.IsEmpty ? 0 : documents[row];
            Array.Fill(allowed, true, row * visible + from, offsets[b] + t + 1 - from);
        }

        return tensor(allowed, [offsets.Length, 1, length, visible], ScalarType.Bool, device);
    }

    /// <summary>Plain causal mask [1, 1, T, U] of the last T of U positions.</summary>
    public static Tensor Causal(long length, long visible, Device device) =>
        ones([length, visible], ScalarType.Bool, device).tril(visible - length).view(1, 1, length, visible);

    /// <summary>
    /// Lengths of the documents of whole sequences, end to end over all sequences: attention within each is plain causal attention, and no
    /// mask [T, T] is needed. Null where there is one document in each sequence, or where sequences are so short that a mask costs less
    /// than many small calls.
    /// </summary>
    /// <param name="documents">
    /// Position of the first token of each position's document, row-major [B, T]; empty where attention crosses documents.
    /// </param>
    /// <param name="length">T.</param>
    /// <param name="shortest">Sequences shorter than this have a mask.</param>
    public static long[]? Segments(ReadOnlySpan<int> documents, int length, int shortest = LeastSegmented)
    {
        if (length < shortest || !documents.ContainsAnyExcept(0))
            return null;
        var segments = new List<long>();
        for (var row = 0; row < documents.Length; row++)
            if (row % length == 0 || documents[row] != documents[row - 1])
                segments.Add(1);
            else
                segments[^1]++;
        return [.. segments];
    }
}
