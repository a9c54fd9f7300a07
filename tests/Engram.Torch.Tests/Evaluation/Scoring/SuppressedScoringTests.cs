using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Memory;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Evaluation.Scoring;

/// <summary>
/// Prompt and answer read with different memories, against one forward pass over the whole text whose rows are exchanged by hand.
/// </summary>
public sealed class SuppressedScoringTests : IDisposable
{
    private readonly InferenceModels _models = new(TinyRun.Configuration);
    private readonly ManagedModel _managed;
    private readonly TorchModel _torch;

    public SuppressedScoringTests()
    {
        _managed = new ManagedModel(EngramModel.Open(_models.Folder, threads: 1));
        _torch = new TorchModel(LanguageModel.Load(_models.Folder));
    }

    public void Dispose()
    {
        _torch.Dispose();
        _managed.Dispose();
        _models.Dispose();
    }

    private string Text(int[] ids) => _managed.Tokenizer.Decode(ids, skipSpecialTokens: true);

    /// <summary>Words whose tokens stay the same when they are written one behind the other.</summary>
    private static string Words(int count, int seed)
    {
        var random = new Random(seed);
        string[] words = ["mare", "horse", "king", "river", "while", "nobody", "again", "over"];
        return string.Join(' ', Enumerable.Range(0, count).Select(_ => words[random.Next(words.Length)]));
    }

    private int[] Ids(string text) => [_managed.Configuration.StartTokenId!.Value, .. _managed.Tokenizer.Encode(text)];

    /// <summary>Logits [T, V] of a text whose rows are silenced in its prompt, behind it or everywhere.</summary>
    private float[] Logits(int[] ids, int prompt, Suppression? part)
    {
        if (part is null)
            return _models.Expected(ids);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var model = _models.Torch;
        var starts = model.Transformer.Documents.Starts(ids);
        using var silenced = model.Memory!.Suppressed(part);
        using var gathered = model.GatherMemory(ids, starts, 1)!;
        using var other = model.GatherMemory(ids, starts, 1, silenced)!;
        var from = part.Tokens == SuppressedTokens.Answer ? prompt : 0;
        var to = part.Tokens == SuppressedTokens.Prompt ? prompt : ids.Length;
        foreach (var layer in model.Memory.LayerIds)
            if (from < to)
                gathered.Layer(layer)!.narrow(1, from, to - from).copy_(other.Layer(layer)!.narrow(1, from, to - from));
        return model.Transformer.Logits(model.Transformer.Forward(ids, starts, 1, gathered).Hidden).data<float>().ToArray();
    }

    private double Reference(string context, string continuation, Suppression? part)
    {
        var (ids, first, vocabulary) = (Ids(context + continuation), Ids(context).Length, _models.Vocabulary);
        var (logits, sum) = (Logits(ids, first, part), 0.0);
        for (var t = first; t < ids.Length; t++)
        {
            var row = logits.AsSpan((t - 1) * vocabulary, vocabulary).ToArray();
            sum += row[ids[t]] - Math.Log(row.Sum(logit => Math.Exp(logit)));
        }
        return sum;
    }

    private static Scorer Scorer(IScoredModel model, MemoryBank silenced, Suppression part, bool sharePrefixes = true) =>
        new(
            model,
            part.Tokens == SuppressedTokens.Answer ? model.Memory : silenced,
            sharePrefixes,
            answers: part.Tokens == SuppressedTokens.Prompt ? model.Memory : silenced
        );

    /// <summary>
    /// Contexts and continuations overlap, so that a token of one request's answer stands in another's prompt: what is shared must still be
    /// read as each request reads it.
    /// </summary>
    [Theory]
    [InlineData("all@prompt", SuppressedRow.Mean)]
    [InlineData("all@prompt", SuppressedRow.Zero)]
    [InlineData("all@answer", SuppressedRow.Mean)]
    [InlineData("all", SuppressedRow.Mean)]
    [InlineData("order=3@prompt", SuppressedRow.Mean)]
    [InlineData("layer=1,head=0@answer", SuppressedRow.Mean)]
    public void Likelihoods_are_those_of_one_pass_with_the_rows_exchanged(string text, SuppressedRow replacement)
    {
        var part = Suppression.Parse(text, replacement);
        string[] words = Words(14, 1).Split(' ');
        (string Context, string Continuation)[] texts =
        [
            .. new[] { (5, 9), (5, 12), (7, 12), (3, 12), (12, 14) }.Select(cut =>
                (string.Join(' ', words[..cut.Item1]), " " + string.Join(' ', words[cut.Item1..cut.Item2]))
            ),
        ];
        double[] expected = [.. texts.Select(one => Reference(one.Context, one.Continuation, part))];
        double[] whole = [.. texts.Select(one => Reference(one.Context, one.Continuation, null))];
        ScoringRequest[] requests = [.. texts.Select(one => new LikelihoodRequest(one.Context, one.Continuation))];
        foreach (var model in new IScoredModel[] { _managed, _torch })
        {
            using var silenced = model.Memory!.Suppressed(part);
            foreach (var share in new[] { true, false })
            {
                var answers = Scorer(model, silenced, part, share).Answer(requests);
                for (var i = 0; i < requests.Length; i++)
                {
                    Assert.Equal(expected[i], answers[i].LogLikelihood, 1e-3);
                    Assert.True(Math.Abs(whole[i] - answers[i].LogLikelihood) > 0.01, $"{text} changes nothing of text {i}.");
                }
            }
        }
    }

    [Theory]
    [InlineData("all@prompt")]
    [InlineData("all@answer")]
    [InlineData("all")]
    public void Generated_answers_are_read_with_the_memory_of_answers(string text)
    {
        const int count = 6;
        var part = Suppression.Parse(text);
        string[] prompts = [.. Enumerable.Range(0, 4).Select(i => Words(3 + i, 20 + i))];
        string[] expected = [.. prompts.Select(prompt => Greedy(Ids(prompt)))];
        foreach (var model in new IScoredModel[] { _managed, _torch })
        {
            using var silenced = model.Memory!.Suppressed(part);
            var answers = Scorer(model, silenced, part)
                .Answer([.. prompts.Select(prompt => new GenerationRequest(prompt, ["\u0001"], count))]);
            Assert.Equal(expected, answers.Select(answer => answer.Text));
        }

        string Greedy(int[] ids)
        {
            var prompt = ids.Length;
            while (ids.Length < prompt + count)
            {
                var last = Logits(ids, prompt, part).AsSpan()[^_models.Vocabulary..][.._managed.Tokenizer.VocabularySize].ToArray();
                var next = Array.IndexOf(last, last.Max());
                if (next == _managed.Configuration.EndTokenId || next == _managed.Configuration.StartTokenId)
                    break;
                ids = [.. ids, next];
            }
            return Text(ids[prompt..]);
        }
    }

    [Fact]
    public void A_memory_is_no_control_of_nothing()
    {
        Assert.Throws<ArgumentException>(() => new Scorer(_managed, null, answers: _managed.Memory));
        var sequence = _models.Managed.NewSequence();
        sequence.Memory = null;
        _models.Managed.Read(sequence, [1, 2], []);
        Assert.Throws<InvalidOperationException>(() => sequence.Memory = _models.Managed.Memory);
        sequence.Truncate(0);
        sequence.Memory = _models.Managed.Memory;
        Assert.Same(_models.Managed.Memory, sequence.Fork().Memory);
    }
}
