using Engram.Models.Configuration;
using Engram.Torch.Layers;
using Engram.Torch.Sequences;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Sequences;

/// <summary>Long texts take other ways through attention: in pieces, and document by document. The results are the same.</summary>
[OneThread]
public class LongTextTests
{
    /// <summary>With a context beyond the original one, so that the extended frequencies and temperature are in all of it.</summary>
    private static ModelConfiguration Extended(bool documents) =>
        ContextExtension.Extend(TinyRun.Configuration, 1024, original: 128) with
        {
            AttentionDocumentMask = documents,
        };

    [Theory]
    [InlineData(false, 7), InlineData(false, 40), InlineData(true, 40), InlineData(true, 150)]
    public void Reading_in_pieces_equals_reading_at_once(bool documents, int piece)
    {
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(Extended(documents));
        var ids = Ids(model, 2 * 200);
        using SequenceState a = model.Transformer.NewState(),
            b = model.Transformer.NewState(),
            c = model.Transformer.NewState(),
            d = model.Transformer.NewState();
        // The second sequence is three tokens ahead.
        foreach (var state in new[] { b, d })
            model.Continue([state], ids.AsSpan(0, 3), model.Memory);
        var whole = model.Continue([a, b], ids, model.Memory, null, piece: 1 << 20);
        var pieces = model.Continue([c, d], ids, model.Memory, null, piece);
        Assert.Equal(whole.shape, pieces.shape);
        Close(whole, pieces);
        Assert.Equal((200, 203), (c.Length, d.Length));
        Close(model.Continue([a, b], [5, 6], model.Memory), model.Continue([c, d], [5, 6], model.Memory));
    }

    [Fact]
    public void A_piece_that_fails_leaves_the_states_as_they_were()
    {
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(Extended(documents: false));
        using SequenceState state = model.Transformer.NewState(),
            other = model.Transformer.NewState();
        var ids = Ids(model, 30);
        model.Continue([state], ids.AsSpan(0, 4), model.Memory);
        int[] bad = [.. ids[4..], 1 << 20];
        Assert.ThrowsAny<ArgumentException>(() => model.Continue([state], bad, model.Memory, null, piece: 10));
        Assert.Equal(4, state.Length);
        Close(model.Continue([other], ids, model.Memory)[4..], model.Continue([state], ids.AsSpan(4), model.Memory));
    }

    /// <summary>600 tokens of many documents are divided (no mask of 600² numbers); the absorbed form still takes the mask.</summary>
    [Fact]
    public void Documents_of_a_long_sequence_are_divided_to_the_same_result()
    {
        using var scope = NewDisposeScope();
        using var model = RandomModel.Create(Extended(documents: true));
        var ids = Ids(model, 2 * 600);
        var starts = new bool[ids.Length];
        for (var i = 0; i < starts.Length; i++)
            starts[i] = i % 600 == 0 || ids[i] == model.Configuration.StartTokenId;
        Assert.NotNull(AttentionMask.Segments(model.Transformer.Documents.Places(ids, starts, 2).Documents, 600));
        using var noGrad = no_grad();
        using var memory = model.GatherMemory(ids, starts, 2);
        var divided = model.Transformer.Forward(ids, starts, 2, memory, false, null, absorbed: false).Hidden;
        Close(model.Transformer.Forward(ids, starts, 2, memory, false, null, absorbed: true).Hidden, divided);
    }

    [Fact]
    public void Single_losses_of_a_reference_model_are_those_of_its_logits()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Dense, ScalarType.Float64);
        var hidden = Sample.Normal(1, ScalarType.Float64, 1500, TinyModels.Dense.HiddenSize);
        var targets = Enumerable.Range(0, 1500).Select(i => i % TinyModels.Dense.VocabularySize).ToArray();
        var expected = nn
            .functional.log_softmax(model.Logits(hidden), -1)
            .gather(1, tensor(targets, ScalarType.Int64).unsqueeze(1))
            .squeeze(1)
            .neg();
        TensorAssert.Close(expected, tensor(model.Losses(hidden, targets)), 1e-12);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Losses(hidden[..1], [TinyModels.Dense.VocabularySize]));
    }

    /// <summary>float32: the same sums in other orders, relative to the largest hidden value.</summary>
    private static void Close(Tensor expected, Tensor actual) =>
        TensorAssert.Close(expected, actual, 2e-5 * Math.Max(1, expected.abs().max().item<float>()));

    /// <summary>Random ids; every thirtieth begins a document.</summary>
    private static int[] Ids(LanguageModel model, int count)
    {
        var random = new Random(9);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => random.Next(30) == 0 ? model.Configuration.StartTokenId!.Value : random.Next(model.Tokenizer.VocabularySize)),
        ];
    }
}
