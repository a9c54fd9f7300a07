using Engram.Models.Configuration;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>A model is trained only on data whose documents begin with its start token: generation and scoring look for that one.</summary>
public sealed class StartTokenTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly int _ofData = TinyCorpus.Shared.Summary.EndOfTextId;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Another_start_token_is_refused_with_both_and_the_remedy()
    {
        var message = Refusal(TinyRun.Configuration with { BosTokenId = _ofData + 1, EosTokenId = _ofData });
        Assert.Contains($"The model's documents begin with token {_ofData + 1}", message);
        Assert.Contains($"those of {TinyCorpus.Shared.Folder} with {_ofData} ({TinyCorpus.Shared.Summary.EndOfText})", message);
        Assert.Contains($"set bos_token_id to {_ofData}", message);
    }

    [Fact]
    public void No_start_token_is_refused()
    {
        var message = Refusal(TinyRun.Configuration with { BosTokenId = null, EosTokenId = null });
        Assert.Contains("config.json names no start token", message);
        Assert.Contains($"set bos_token_id to {_ofData}", message);
    }

    [Fact]
    public void The_remedy_helps()
    {
        Assert.NotNull(Train(TinyRun.Configuration with { BosTokenId = _ofData, EosTokenId = _ofData + 1 }, "named"));
        Assert.NotNull(Train(TinyRun.Configuration with { BosTokenId = null, EosTokenId = _ofData }, "by the end token"));
    }

    /// <summary>What training says, having made no run of it.</summary>
    private string Refusal(ModelConfiguration configuration)
    {
        var message = Assert.Throws<ArgumentException>(() => Train(configuration, "refused")).Message;
        Assert.False(Directory.Exists(_folder.File("refused")));
        return message;
    }

    private TrainingResult? Train(ModelConfiguration configuration, string run) =>
        TinyRun.Train(
            TinyRun.Setup(_folder.File(run), TinyRun.Options with { Steps = 1, ValidationSequences = 1, CheckpointEvery = 0 }) with
            {
                Configuration = configuration,
            }
        );
}
