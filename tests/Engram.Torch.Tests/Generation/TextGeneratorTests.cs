using System.Text;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Sampling;
using Engram.Torch.Generation;
using Engram.Torch.Sequences;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Generation;

/// <summary>Text token by token with caches is the text that the whole model gives when it reads everything anew each time.</summary>
public sealed class TextGeneratorTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0, MaxNewTokens = 24 };

    public static TheoryData<string, bool> Models
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (
                var name in new[]
                {
                    "memory, 4 streams",
                    "memory, 2 streams",
                    "memory, 1 stream",
                    "memory, no convolution",
                    "memory, V4.1",
                    "memory, dead positions",
                    "one row",
                    "experts",
                    "dense",
                }
            )
            {
                data.Add(name, true);
                if (name.StartsWith("memory", StringComparison.Ordinal))
                    data.Add(name, false);
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void Cached_decoding_equals_recomputation(string name, bool useMemory)
    {
        using var model = RandomModel.Create(Named(name));
        var prompt = Prompt(model);
        var generator = new TextGenerator(model);
        int[] generated = [.. generator.Tokens(prompt, Greedy, useMemory ? model.Memory : null)];
        Assert.Equal((prompt.Length, generated.Length), (generator.PromptTokens, generator.GeneratedTokens));
        Assert.InRange(generated.Length, 1, Greedy.MaxNewTokens);
        // A model of random weights may end its text at once; decoding goes on, beyond the reach of the convolution, 9.
        int[] more = [.. Enumerable.Range(0, Greedy.MaxNewTokens - generated.Length).Select(i => 5 + i % 3)];

        using var state = model.Transformer.NewState();
        int[] text = [.. prompt, .. generated, .. more];
        for (var length = prompt.Length; length < text.Length; length++)
        {
            var next = length == prompt.Length ? prompt : text[(length - 1)..length];
            var (cached, whole) = (Decode(model, next, useMemory, state), Recompute(model, text[..length], useMemory));
            var largest = whole.Max(Math.Abs);
            for (var id = 0; id < whole.Length; id++)
                // Kernels against composed forms, and two equal forms of attention: float32 rounding through four layers.
                Assert.Equal(whole[id], cached[id], 1e-4 * largest);
            if (length < prompt.Length + generated.Length)
                Assert.Equal(text[length], Enumerable.Range(0, model.Tokenizer.VocabularySize).MaxBy(id => whole[id]));
        }
    }

    [Theory, InlineData(1), InlineData(7), InlineData(96)]
    public void A_prompt_of_packed_documents_is_read_as_training_reads_them(int chunk)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = RandomModel.Create(
            TinyRun.WithMemory(memory => memory with { DeadTokenIds = Dead }) with
            {
                AttentionDocumentMask = true,
            }
        );
        var batch = new ValidationBatches(TinyCorpus.Shared, 40, 1, 96).First(found => found.DocumentStarts.Count(start => start) > 1);
        using var memory = model.GatherMemory(batch.Inputs, batch.DocumentStarts, 1);
        var trained = model.Transformer.Forward(batch.Inputs, batch.DocumentStarts, 1, memory, training: true).Hidden;

        using var state = model.Transformer.NewState();
        var read = cat([.. batch.Inputs.Chunk(chunk).Select(ids => model.Continue([state], ids, model.Memory))], 0);
        // kernels against composed forms, in float32
        TensorAssert.Close(model.Transformer.Logits(trained), model.Transformer.Logits(read), 1e-4);
        Assert.Equal(
            model.Transformer.Loss(trained, batch.Targets).item<float>(),
            model.Transformer.Loss(read, batch.Targets).item<float>(),
            1e-4f
        );

        // Read as one document, the tokens behind the second start are others.
        var second = Array.LastIndexOf(batch.DocumentStarts, true);
        var alone = model.Transformer.Forward(batch.Inputs, [], 1, memory).Hidden;
        Assert.True((trained - alone).narrow(0, second, 96 - second).abs().max().item<float>() > 0.1f);
    }

    [Fact]
    public void Memory_switched_off_gives_another_text()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var generator = new TextGenerator(model);
        Assert.NotEqual(generator.Tokens(Prompt(model), Greedy, model.Memory), generator.Tokens(Prompt(model), Greedy, memory: null));
    }

    [Fact]
    public void Same_seed_gives_the_same_text_and_another_seed_another()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        Assert.Equal(
            Text(model, "ka lo", new() { Seed = 3, MaxNewTokens = 30 }),
            Text(model, "ka lo", new() { Seed = 3, MaxNewTokens = 30 })
        );
        Assert.NotEqual(
            Text(model, "ka lo", new() { Seed = 3, MaxNewTokens = 30 }),
            Text(model, "ka lo", new() { Seed = 4, MaxNewTokens = 30 })
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("ka lo mi")]
    [InlineData("naïve 🙂")]
    public void Streamed_pieces_are_the_decoded_tokens(string prompt)
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var generator = new TextGenerator(model);
        int[] ids =
        [
            .. generator.Tokens(
                [generator.StartOfText, .. model.Tokenizer.Encode(prompt)],
                new() { Seed = 8, MaxNewTokens = 40 },
                model.Memory
            ),
        ];
        Assert.True(ids.Length > 5, $"only {ids.Length} tokens");
        Assert.Equal(model.Tokenizer.Decode(ids), Text(model, prompt, new() { Seed = 8, MaxNewTokens = 40 }));
    }

    [Fact]
    public void Context_ends_the_text()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 12 });
        var generator = new TextGenerator(model);
        Assert.Equal(12 - 5, generator.Tokens([0, 20, 30, 40, 50], Greedy, model.Memory).Count());
        Assert.Single(generator.Tokens([0, .. Enumerable.Range(20, 10)], Greedy, model.Memory));
        foreach (var length in new[] { 0, 12, 13 })
        {
            var error = Assert.Throws<ArgumentException>(() =>
                generator.Tokens([.. Enumerable.Range(20, length)], Greedy, model.Memory).ToList()
            );
            Assert.Contains($"The prompt has {length} tokens; between 1 and 11 fit into the context of 12.", error.Message);
        }
    }

    [Fact]
    public void Cancellation_ends_the_text_after_the_current_token()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var cancellation = new CancellationTokenSource();
        var generator = new TextGenerator(model);
        var whole = generator.Tokens(Prompt(model), Greedy, model.Memory).ToList();
        var cut = new List<int>();
        foreach (var id in generator.Tokens(Prompt(model), Greedy, model.Memory, cancellation.Token))
        {
            cut.Add(id);
            if (cut.Count == 3)
                cancellation.Cancel();
        }

        Assert.Equal(whole.Take(3), cut);
        Assert.Equal(3, generator.GeneratedTokens);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(4, 4)]
    public void Start_and_end_token_end_the_text(int start, int end)
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { BosTokenId = start, EosTokenId = end });
        var generator = new TextGenerator(model);
        Assert.Equal((start, end), (generator.StartOfText, model.Configuration.EndTokenId));
        foreach (var token in new[] { start, end })
        {
            // The read-out of this token outweighs all others; the first of its kind ends the text.
            using (no_grad())
            {
                model.Transformer.Parameters["lm_head.weight"].Tensor.zero_();
                model.Transformer.Parameters["model.norm.weight"].Tensor.fill_(1);
            }

            var hidden = Recompute(model, [start], useMemory: true, hidden: true);
            using (no_grad())
            using (var row = tensor(hidden))
                model.Transformer.Parameters["lm_head.weight"].Tensor[token].copy_(row);
            Assert.Empty(generator.Stream("", Greedy, model.Memory));
            Assert.Equal((1, 0), (generator.PromptTokens, generator.GeneratedTokens));
        }
    }

    [Fact]
    public void Unset_start_and_end_tokens_stand_in_for_each_other()
    {
        foreach (var (bos, eos, start, end) in new (int?, int?, int, int)[] { (3, null, 3, 3), (null, 5, 5, 5), (3, 5, 3, 5) })
        {
            using var model = RandomModel.Create(TinyRun.Configuration with { BosTokenId = bos, EosTokenId = eos });
            var generator = new TextGenerator(model);
            Assert.Equal((start, end), (generator.StartOfText, model.Configuration.EndTokenId));
        }
    }

    [Fact]
    public void Without_start_and_end_token_there_is_no_text_to_begin()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { BosTokenId = null, EosTokenId = null });
        var generator = new TextGenerator(model);
        Assert.Contains(
            "bos_token_id",
            Assert.Throws<InvalidOperationException>(() => generator.Stream("ka lo", Greedy, model.Memory).ToList()).Message
        );
        // Ids can be continued all the same; nothing but the limit ends them.
        Assert.Equal(Greedy.MaxNewTokens, generator.Tokens([20, 30], Greedy, model.Memory).Count());
    }

    [Fact]
    public void Decoding_leaves_no_tensors_behind()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var generator = new TextGenerator(model);
        _ = generator.Tokens(Prompt(model), Greedy, model.Memory).ToList();
        var before = TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        _ = generator.Tokens(Prompt(model), Greedy, model.Memory).ToList();
        _ = generator.Tokens(Prompt(model), Greedy, model.Memory).First(); // abandoned in the middle
        Assert.Equal(before, TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static string Text(LanguageModel model, string prompt, SamplingOptions options) =>
        new TextGenerator(model)
            .Stream(prompt, options, model.Memory)
            .Aggregate(new StringBuilder(), (text, piece) => text.Append(piece))
            .ToString();

    // Every tenth id: in the prompt and in what is generated.
    private static int[] Dead { get; } = [.. Enumerable.Range(0, 30).Select(i => 10 * i + 3)];

    private static int[] Prompt(LanguageModel model) =>
        [new TextGenerator(model).StartOfText, .. model.Tokenizer.Encode("kalo mine tu ra sovi")];

    private static float[] Decode(LanguageModel model, int[] ids, bool useMemory, SequenceState state)
    {
        using var scope = NewDisposeScope();
        var hidden = model.Continue([state], ids, useMemory ? model.Memory : null);
        return model.Transformer.Logits(hidden.narrow(0, ids.Length - 1, 1)).detach().data<float>().ToArray();
    }

    private static float[] Recompute(LanguageModel model, int[] ids, bool useMemory, bool hidden = false)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var starts = model.Transformer.Documents.Starts(ids);
        using var memory = useMemory ? model.GatherMemory(ids, starts, 1) : null;
        var last = model.Transformer.Forward(ids, starts, 1, memory).Hidden.narrow(0, ids.Length - 1, 1);
        return (hidden ? last : model.Transformer.Logits(last)).data<float>().ToArray();
    }

    private static ModelConfiguration Named(string name) =>
        name switch
        {
            "memory, 4 streams" => TinyRun.Configuration,
            "memory, 2 streams" => TinyRun.Configuration with { HcMult = 2 },
            "memory, 1 stream" => TinyRun.Configuration with { HcMult = 1 },
            "memory, no convolution" => TinyRun.WithMemory(memory => memory with { ConvKernel = 0 }),
            "memory, V4.1" => TinyRun.V41(Dead),
            "memory, dead positions" => TinyRun.WithMemory(memory => memory with { DeadTokenIds = Dead }),
            "one row" => TinyRun.WithMemory(memory => memory with { OneRow = true }),
            "experts" => TinyRun.Configuration with { Engram = null },
            "dense" => Presets.Load("tiny-dense"),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}
