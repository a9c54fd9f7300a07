using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Inference;

/// <summary>
/// The managed engine computes the function of the TorchSharp model, in every configuration of the presets and their variants.
/// </summary>
[OneThread]
public sealed class AgreementTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0, MaxNewTokens = 16 };

    public static TheoryData<string> Names => [.. InferenceModels.Configurations.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Logits_are_those_of_the_torch_model(string name)
    {
        using var models = new InferenceModels(InferenceModels.Configurations[name]);
        // beyond the reach of the convolution, 9
        var ids = models.Ids(name.StartsWith("small", StringComparison.Ordinal) ? 20 : 40, seed: 5);
        foreach (var memory in models.Managed.Memory is null ? new[] { true } : [true, false])
            AssertClose(models.Expected(ids, memory), models.Whole(ids, memory));
    }

    /// <summary>Weights as training leaves them: unequal gains, experts with biases, rows that were met and rows that never were.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Logits_of_trained_weights_are_those_of_the_torch_model(string name)
    {
        var small = name.StartsWith("small", StringComparison.Ordinal);
        using var models = InferenceModels.Trained(InferenceModels.Configurations[name], updates: small ? 2 : 8);
        var ids = TinyCorpus.Shared.Tokenizer.Encode("ka lo mi naïve 🙂, and what the words say.")[..16];
        AssertClose(models.Expected(ids), models.Whole(ids));
    }

    [Theory]
    [InlineData("tiny-engram")]
    [InlineData("quickstart-engram")]
    [InlineData("tiny-dense")]
    [InlineData("V4.1, dead positions")]
    public void Greedy_text_is_that_of_the_torch_model(string name)
    {
        using var models = new InferenceModels(InferenceModels.Configurations[name]);
        var (torch, managed) = (
            new Engram.Torch.Generation.TextGenerator(models.Torch),
            new Engram.Inference.TextGenerator(models.Managed)
        );
        foreach (var prompt in new[] { "", "ka lo mi", "naïve 🙂" })
        {
            var expected = torch.Stream(prompt, Greedy, models.Torch.Memory).ToList();
            Assert.Equal(expected, managed.Stream(prompt, Greedy, models.Managed.Memory).ToList());
            Assert.Equal(
                (torch.PromptTokens, torch.GeneratedTokens, torch.Finish),
                (managed.PromptTokens, managed.GeneratedTokens, managed.Finish)
            );
        }
    }

    [Fact]
    public void A_text_says_why_it_ended()
    {
        using var models = new InferenceModels(InferenceModels.Configurations["tiny-engram"]);
        var generator = new Engram.Inference.TextGenerator(models.Managed);
        var whole = string.Concat(generator.Stream("ka lo", Greedy, models.Managed.Memory));
        Assert.Contains(generator.Finish, new[] { FinishReason.MaxNewTokens, FinishReason.EndOfText });
        Assert.NotEqual("", whole);
        var stop = whole[(whole.Length / 2)..][..1];
        var stopped = string.Concat(generator.Stream("ka lo", Greedy with { Stop = [stop] }, models.Managed.Memory));
        Assert.Equal((FinishReason.StopText, whole[..whole.IndexOf(stop, StringComparison.Ordinal)]), (generator.Finish, stopped));
        int[] almostFull =
        [
            .. Enumerable.Repeat(models.Managed.Tokenizer.Encode("ka")[0], models.Managed.Configuration.MaxPositionEmbeddings - 2),
        ];
        Assert.True(generator.Tokens(almostFull, Greedy, models.Managed.Memory).Count() <= 2);
        Assert.Contains(generator.Finish, new[] { FinishReason.Context, FinishReason.EndOfText });
        Assert.Single(generator.Tokens(almostFull[..5], Greedy with { MaxNewTokens = 9 }, models.Managed.Memory).Take(1));
        Assert.Equal(FinishReason.Unfinished, generator.Finish);
    }

    [Fact]
    public void A_text_that_is_cancelled_within_its_prompt_has_no_tokens()
    {
        using var models = new InferenceModels(InferenceModels.Configurations["tiny-dense"]);
        using var source = new CancellationTokenSource();
        var generator = new CancelledWhileReading(models.Managed, source);
        Assert.Empty(generator.Stream("ka lo", Greedy, memory: null, cancellation: source.Token));
        Assert.Equal((FinishReason.Unfinished, 0), (generator.Finish, generator.GeneratedTokens));
    }

    [Theory]
    [InlineData(TableLocation.Mapped)]
    [InlineData(TableLocation.Cached)]
    public void Results_do_not_depend_on_where_tables_lie(TableLocation location)
    {
        var options = new MemoryOptions { Tables = location, RowCacheBytes = 4096 };
        using var models = new InferenceModels(InferenceModels.Configurations["tiny-engram"], options);
        using var inMemory = Engram.Inference.EngramModel.Open(models.Folder);
        var (ids, logits) = (models.Ids(40, seed: 6), new float[40 * models.Vocabulary]);
        inMemory.Read(inMemory.NewSequence(), ids, logits);
        Assert.Equal(logits, models.Whole(ids));
    }

    /// <summary>1e-4 of the largest logit: float32 rounding of two orders of summation through the layers.</summary>
    internal static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var (largest, worst) = (expected.Max(Math.Abs), expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max());
        Assert.True(worst <= 1e-4 * largest, $"The logits differ by {worst}, {worst / largest:E2} of the largest, {largest}.");
    }

    /// <summary>Somebody cancels while the prompt is read.</summary>
    private sealed class CancelledWhileReading(Engram.Inference.EngramModel model, CancellationTokenSource source)
        : TextGeneration(model.Configuration, model.Tokenizer)
    {
        protected override Text Begin(MemoryBank? memory) => new Reading(source);

        private sealed class Reading(CancellationTokenSource source) : Text
        {
            public override void Read(int[] ids, float[] logits, CancellationToken cancellation)
            {
                source.Cancel();
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }
}
