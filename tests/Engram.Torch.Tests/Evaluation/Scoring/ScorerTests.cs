using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Sampling;
using Engram.Torch.Tests.Inference;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation.Scoring;

/// <summary>Requests, answered by both engines, against the forward pass of training.</summary>
public sealed class ScorerTests : IDisposable
{
    private readonly InferenceModels _models = new(TinyRun.Configuration with { MaxPositionEmbeddings = 48 });
    private readonly ManagedModel _managed;

    public ScorerTests() => _managed = new ManagedModel(EngramModel.Open(_models.Folder, threads: 1));

    private string Words(int count, int seed)
    {
        var random = new Random(seed);
        return _managed
            .Tokenizer.Decode(
                [.. Enumerable.Range(0, count).Select(_ => random.Next(20, _managed.Tokenizer.VocabularySize))],
                skipSpecialTokens: true
            )
            .Trim();
    }

    public void Dispose()
    {
        _managed.Dispose();
        _models.Dispose();
    }

    /// <summary>Sum of the log-probabilities of the ids from one on, from the logits of the whole sequence.</summary>
    private double Reference(int[] ids, int first, bool memory = true)
    {
        var (logits, vocabulary, sum) = (_models.Expected(ids[..^1], memory), _models.Vocabulary, 0.0);
        for (var t = first; t < ids.Length; t++)
        {
            var row = logits.AsSpan((t - 1) * vocabulary, vocabulary).ToArray();
            sum += row[ids[t]] - Math.Log(row.Sum(logit => Math.Exp(logit)));
        }
        return sum;
    }

    [Fact]
    public void Likelihoods_are_those_of_the_forward_pass_in_both_engines()
    {
        var (context, continuation) = (Words(9, 1), " " + Words(4, 2));
        var tokenizer = _managed.Tokenizer;
        int[] ids = [_managed.Configuration.StartTokenId!.Value, .. tokenizer.Encode(context + continuation)];
        var first = 1 + tokenizer.Encode(context).Length;
        foreach (var memory in new[] { true, false })
        {
            var expected = Reference(ids, first, memory);
            using var torch = new TorchModel(LanguageModel.Load(_models.Folder));
            foreach (var model in new IScoredModel[] { _managed, torch })
            {
                var answer = new Scorer(model, memory ? model.Memory : null)
                    .Answer([new LikelihoodRequest(context, continuation)])
                    .Single();
                Assert.Equal(expected, answer.LogLikelihood, 1e-3);
                Assert.Equal(ids.Length - first, answer.Tokens);
            }
        }
    }

    /// <summary>lm-evaluation-harness, <c>TemplateLM._encode_pair</c>: spaces at the end of a context belong to the continuation.</summary>
    [Fact]
    public void Spaces_at_the_end_of_a_context_move_to_the_continuation()
    {
        var scorer = new Scorer(_managed, _managed.Memory);
        var (context, word) = (Words(6, 3), Words(2, 4));
        var answers = scorer.Answer([
            new LikelihoodRequest(context + " ", word),
            new LikelihoodRequest(context, " " + word),
            new LikelihoodRequest(context + "  ", word),
        ]);
        Assert.Equal(answers[1], answers[0]);
        Assert.Equal(scorer.Answer([new LikelihoodRequest(context, "  " + word)])[0], answers[2]);
    }

    /// <summary>
    /// lm-evaluation-harness, the same place: both are tokenised at once and divided by the number of the context's own tokens.
    /// </summary>
    [Fact]
    public void A_token_across_the_cut_is_counted_by_the_contexts_own_length()
    {
        var tokenizer = _managed.Tokenizer;
        var (left, right, joint) = Cut(tokenizer, (own, whole) => whole == own + 1);
        var encoded = new RequestEncoder(tokenizer, _managed.Configuration).Encode(new LikelihoodRequest(left, right)).Single();
        int[] expected = [_managed.Configuration.StartTokenId!.Value, .. tokenizer.Encode(left), joint[^1]];
        Assert.Equal(expected, encoded.TokenIds);
        Assert.Equal(1, encoded.Count);
    }

    /// <summary>
    /// Where the joint text has no more tokens than the context alone, the harness scores nothing; here both are tokenised apart.
    /// </summary>
    [Fact]
    public void A_continuation_that_a_token_swallows_is_tokenised_alone()
    {
        var tokenizer = _managed.Tokenizer;
        var (left, right, _) = Cut(tokenizer, (own, whole) => whole <= own);
        var encoded = new RequestEncoder(tokenizer, _managed.Configuration).Encode(new LikelihoodRequest(left, right)).Single();
        int[] expected = [_managed.Configuration.StartTokenId!.Value, .. tokenizer.Encode(left), .. tokenizer.Encode(right)];
        Assert.Equal(expected, encoded.TokenIds);
        Assert.Equal(tokenizer.Encode(right).Length, encoded.Count);
    }

    [Fact]
    public void Nothing_to_score_is_an_error_that_names_the_request()
    {
        var error = Assert.Throws<UnscorableRequestException>(() =>
            new Scorer(_managed, null).Answer([new LikelihoodRequest("a", " b"), new LikelihoodRequest("a", "")])
        );
        Assert.Equal(1, error.Request);
    }

    /// <summary>
    /// lm-evaluation-harness, <c>get_rolling_token_windows</c> with a context of one and <c>make_disjoint_window</c>, its own example: 34
    /// tokens, 10
    /// at a time.
    /// </summary>
    [Fact]
    public void Long_texts_are_read_in_windows_that_score_each_token_once()
    {
        var configuration = _managed.Configuration with { MaxPositionEmbeddings = 10 };
        var ids = _managed.Tokenizer.Encode(string.Join(' ', Enumerable.Range(0, 60).Select(i => Words(1, i))));
        var text = _managed.Tokenizer.Decode(ids.AsSpan(0, 34));
        ids = _managed.Tokenizer.Encode(text);
        Assert.Equal(34, ids.Length);
        var windows = new RequestEncoder(_managed.Tokenizer, configuration).Encode(new RollingRequest(text)).ToArray();
        int[][] expected =
        [
            [configuration.StartTokenId!.Value, .. ids[..10]],
            ids[9..20],
            ids[19..30],
            ids[23..34],
        ];
        Assert.Equal(expected, windows.Select(window => window.TokenIds));
        Assert.Equal([10, 10, 10, 4], windows.Select(window => window.Count));
        // Of a text only the start token is prompt; of a continuation that is longer than the context, what the window still holds of it.
        Assert.Equal([1, 0, 0, 0], windows.Select(window => window.Prompt));
        var cut = _managed.Tokenizer.Decode(ids.AsSpan(0, 6));
        var parts = new RequestEncoder(_managed.Tokenizer, configuration).Encode(new LikelihoodRequest(cut, text[cut.Length..])).ToArray();
        Assert.Equal([1, 0, 0], parts.Select(part => part.Prompt));
    }

    [Fact]
    public void A_context_that_is_too_long_loses_its_beginning()
    {
        var (context, continuation) = (Words(80, 5), " " + Words(3, 6));
        var tokenizer = _managed.Tokenizer;
        var whole = tokenizer.Encode(context + continuation);
        var count = whole.Length - tokenizer.Encode(context).Length;
        var answer = new Scorer(_managed, _managed.Memory).Answer([new LikelihoodRequest(context, continuation)])[0];
        Assert.Equal(Reference(whole[^49..], 49 - count), answer.LogLikelihood, 1e-3);
        Assert.Equal(count, answer.Tokens);
        Assert.Equal(1 + whole.Length - 49, answer.Lost);
        var generated = new Scorer(_managed, _managed.Memory).Answer([
            new GenerationRequest(context, ["\u0001"], 8),
            new GenerationRequest("a", ["\u0001"], 8),
        ]);
        Assert.Equal([1 + tokenizer.Encode(context).Length - (48 - 8), 0], generated.Select(one => one.Lost));
    }

    /// <summary>A model whose activations overflow writes no empty answers, it is refused as its likelihoods are.</summary>
    [Fact]
    public void Logits_that_are_no_numbers_are_refused_in_both_kinds_of_requests()
    {
        using (var noGrad = TorchSharp.torch.no_grad())
            foreach (var parameter in _models.Torch.Transformer.Parameters.All)
                parameter.Tensor.fill_(float.NaN);
        var torch = new TorchModel(_models.Torch); // the model is the fixture's
        foreach (var request in new ScoringRequest[] { new LikelihoodRequest("a", " b"), new GenerationRequest("a", ["."], 3) })
            Assert.Contains(
                "not finite",
                Assert.Throws<InvalidDataException>(() => new Scorer(torch, torch.Memory).Answer([request])).Message,
                StringComparison.Ordinal
            );
    }

    [Fact]
    public void Drawn_answers_follow_from_their_seed()
    {
        GenerationRequest[] requests =
        [
            .. new[] { 1, 1, 2, 3 }.Select(seed => new GenerationRequest("the mare", ["\u0001"], 12, Temperature: 1.5, Seed: seed)),
            new("the mare", ["\u0001"], 12),
        ];
        string[] texts = [.. new Scorer(_managed, _managed.Memory).Answer(requests).Select(answer => answer.Text!)];
        Assert.Equal(texts[0], texts[1]);
        Assert.Equal(4, texts.Distinct().Count());
        Assert.Equal(texts, new Scorer(_managed, _managed.Memory, together: 1).Answer(requests).Select(answer => answer.Text!));
    }

    [Fact]
    public void Shared_prefixes_change_no_score_and_save_reading()
    {
        var shots = Words(20, 7);
        ScoringRequest[] requests =
        [
            .. Enumerable
                .Range(0, 6)
                .SelectMany(question =>
                    Enumerable
                        .Range(0, 4)
                        .Select(option => new LikelihoodRequest($"{shots}\n{Words(4, 10 + question)}", " " + Words(2, 30 + option)))
                ),
            new RollingRequest(Words(70, 8)),
            new RollingRequest(""),
            .. Enumerable.Range(0, 5).Select(i => new GenerationRequest($"{shots} {Words(i + 1, 50 + i)}", ["."], 6)),
        ];
        using var torch = new TorchModel(LanguageModel.Load(_models.Folder));
        foreach (var model in new IScoredModel[] { _managed, torch })
        {
            var (with, without) = (new Reports(), new Reports());
            var shared = new Scorer(model, model.Memory).Answer(requests, with);
            var alone = new Scorer(model, model.Memory, sharePrefixes: false).Answer(requests, without);
            for (var i = 0; i < requests.Length; i++)
            {
                Assert.Equal(alone[i].LogLikelihood, shared[i].LogLikelihood, model == _managed ? 1e-5 : 1e-3);
                Assert.Equal((alone[i].Tokens, alone[i].Text), (shared[i].Tokens, shared[i].Text));
            }
            Assert.Equal(without.Last.Tokens, with.Last.Tokens);
            Assert.True(with.Last.TokensRead < 0.6 * without.Last.TokensRead, $"{with.Last.TokensRead} of {without.Last.TokensRead}");
            Assert.Equal(requests.Length, with.Last.Requests);
        }
    }

    [Fact]
    public void Generations_are_those_of_the_generator_up_to_the_stop_text()
    {
        var prompts = Enumerable.Range(0, 5).Select(i => Words(2 + i, 60 + i)).ToArray();
        var generator = new TextGenerator(_models.Managed);
        string[] whole =
        [
            .. prompts.Select(prompt =>
                string.Concat(generator.Stream(prompt, new SamplingOptions { Temperature = 0, MaxNewTokens = 8 }, _models.Managed.Memory))
            ),
        ];
        var scorer = new Scorer(_managed, _managed.Memory);
        var answers = scorer.Answer([.. prompts.Select(prompt => new GenerationRequest(prompt, ["\u0001"], 8))]);
        Assert.Equal(whole, answers.Select(answer => answer.Text));
        var stop = whole[0].Length > 2 ? whole[0][2].ToString() : whole[0][..1];
        var cut = scorer.Answer([new GenerationRequest(prompts[0], [stop], 8)])[0].Text!;
        Assert.Equal(whole[0][..whole[0].IndexOf(stop, StringComparison.Ordinal)], cut);
    }

    /// <summary>A word of the vocabulary, cut so that its left part has tokens of its own and the whole so many.</summary>
    private static (string Left, string Right, int[] Joint) Cut(Tokenization.Tokenizer tokenizer, Func<int, int, bool> wanted)
    {
        for (var id = 0; id < tokenizer.VocabularySize; id++)
        {
            var word = tokenizer.Decode([id]);
            if (tokenizer.IsSpecial(id) || word.Length < 3 || word.Any(letter => !char.IsAsciiLetter(letter)))
                continue;
            for (var cut = 1; cut < word.Length; cut++)
            {
                var joint = tokenizer.Encode("go " + word);
                if (wanted(tokenizer.Encode("go " + word[..cut]).Length, joint.Length))
                    return ("go " + word[..cut], word[cut..], joint);
            }
        }
        throw new InvalidOperationException("The vocabulary has no such word.");
    }

    private sealed class Reports : IProgress<ScoringProgress>
    {
        public ScoringProgress Last { get; private set; }

        public void Report(ScoringProgress value) => Last = value;
    }
}
