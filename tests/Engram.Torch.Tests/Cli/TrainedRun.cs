using System.Text.Json;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Cli;

/// <summary>Prepared data and a small model, made by the program once for all tests that need them.</summary>
[CollectionDefinition(nameof(TrainedRun))]
public sealed class TrainedRun : IAsyncLifetime, ICollectionFixture<TrainedRun>
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>A path beside the run.</summary>
    public string this[string name] => _folder.File(name);

    public string Data => _folder.File("data");

    public string Run => _folder.File("run");

    public string Model => Path.Combine(Run, "model");

    /// <summary>What <c>engram train --json</c> wrote.</summary>
    public JsonElement Result { get; private set; }

    /// <summary>The arguments of a run in another folder.</summary>
    public string[] Train(string run, params IEnumerable<string> more) =>
        [
            "train",
            "--preset",
            "tiny-engram",
            "--data",
            Data,
            "--run",
            run,
            "--batch-size",
            "4",
            "--length",
            "32",
            "--validation-sequences",
            "4",
            "--threads",
            "1",
            .. more,
        ];

    /// <summary>The folder of a model of the same tokenizer that is untrained.</summary>
    public string Untrained(string preset, int context)
    {
        var folder = this[$"{preset}-{context}"];
        if (Directory.Exists(folder))
            return folder;
        using var corpus = PreparedCorpus.Open(Data);
        using var model = LanguageModel.Create(Presets.Load(preset) with { MaxPositionEmbeddings = context }, corpus.Tokenizer, seed: 1);
        model.Save(folder);
        return folder;
    }

    public async ValueTask InitializeAsync()
    {
        File.WriteAllText(_folder.File("corpus.txt"), SampleCorpus.Text());
        (
            await CliProcess.Run(
                "data",
                "prepare",
                _folder.File("corpus.txt"),
                "--output",
                Data,
                "--vocabulary-size",
                "512",
                "--validation-fraction",
                "0.2"
            )
        ).Ok();
        Result = (await CliProcess.Run(Train(Run, "--steps", "6", "--validate-every", "3", "--json"))).Ok().Json;
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
