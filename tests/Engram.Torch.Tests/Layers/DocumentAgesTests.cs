using System.Collections.Frozen;
using Engram.Torch.Generation;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class DocumentAgesTests
{
    private static readonly bool[] Starts = [false, false, true, false, true, true, false, false, true, false];

    [Fact]
    public void Ages_count_from_each_document_start_in_every_sequence() =>
        Assert.Equal([0, 1, 0, 1, 0, /* second sequence */ 0, 1, 2, 0, 1], DocumentAges.Compute(Starts, 2, 5, null, reset: true));

    [Theory, InlineData(true), InlineData(false)]
    public void Without_reset_or_without_marks_ages_count_from_the_sequence_start(bool marks) =>
        Assert.Equal([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], DocumentAges.Compute(marks ? Starts : [], 2, 5, null, reset: !marks));

    [Theory, InlineData(1), InlineData(2), InlineData(4)]
    public void Ages_continue_through_a_decode_state(int chunk)
    {
        using var state = new DecodeState(1, [new LatentCache()], []);
        var whole = DocumentAges.Compute(Starts, 1, 10, null, reset: true);
        var parts = new List<int>();
        for (var begin = 0; begin < 10; begin += chunk)
        {
            var length = Math.Min(chunk, 10 - begin);
            parts.AddRange(DocumentAges.Compute(Starts.AsSpan(begin, length), 1, length, state, reset: true));
        }

        Assert.Equal(whole, parts);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Ages_begin_anew_behind_dead_positions(bool reset)
    {
        var dead = new[] { 7, 9 }.ToFrozenSet();
        int[] ids = [1, 7, 1, 1, 9, /* second sequence */ 7, 9, 1, 1, 1];
        int[] expected = reset ? [0, -1, 0, 1, -1, -1, -1, 0, 0, 1] : [0, -1, 0, 1, -1, -1, -1, 0, 1, 2];
        Assert.Equal(expected, DocumentAges.Compute(Starts, 2, 5, null, reset, ids, dead));
        using var state = new DecodeState(1, [new LatentCache()], []);
        for (var t = 5; t < 10; t++)
            Assert.Equal([expected[t]], DocumentAges.Compute(Starts.AsSpan(t, 1), 1, 1, state, reset, ids.AsSpan(t, 1), dead));
    }

    [Fact]
    public void The_mask_is_causal_within_documents()
    {
        using var scope = NewDisposeScope();
        var mask = DocumentAges.AttentionMask([true, false, true, false], 1, 4, null, documentMask: true, CPU)!;
        Assert.Equal([1L, 1L, 4L, 4L], mask.shape);
        Assert.Equal(
        [
            1, 0, 0, 0,
            1, 1, 0, 0,
            0, 0, 1, 0,
            0, 0, 1, 1,
        ], mask.Values());
    }

    [Fact]
    public void The_mask_of_a_chunk_covers_the_positions_before_it()
    {
        using var scope = NewDisposeScope();
        using var state = new DecodeState(2, [new LatentCache()], []);
        bool[][] chunks = [[true, false, /* */ true, false], [false, /* */ true], [true, false, false, /* */ false, false, true]];
        bool[][] sequences = [[true, false, false, true, false, false], [true, false, true, false, false, true]];
        var whole = DocumentAges.AttentionMask([.. sequences[0], .. sequences[1]], 2, 6, null, true, CPU)!;
        var at = 0;
        foreach (var chunk in chunks)
        {
            var length = chunk.Length / 2;
            var mask = DocumentAges.AttentionMask(chunk, 2, length, state, true, CPU)!;
            Assert.Equal(whole.narrow(2, at, length).narrow(3, 0, at + length).Values(), mask.Values());
            at += length;
        }
    }

    [Fact]
    public void Without_the_document_mask_there_is_none() => Assert.Null(DocumentAges.AttentionMask(Starts, 2, 5, null, documentMask: false, CPU));
}
