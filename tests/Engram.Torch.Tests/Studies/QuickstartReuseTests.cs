using Engram.Corpora;
using Engram.Studies.Processes;
using Engram.Studies.Quickstart;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Cli;
using Engram.Training;

namespace Engram.Torch.Tests.Studies;

/// <summary>
/// A finished quickstart whose text has changed since, as the documentation does with an update of the SDK. No process can be started here:
/// the command does not exist.
/// </summary>
public sealed class QuickstartReuseTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();
    private readonly QuickstartStudy _study;
    private readonly QuickstartFolder _folder;

    public QuickstartReuseTests()
    {
        _study = QuickstartStudy.Default with { Source = _temporary.File("corpus.txt"), VocabularySize = 300 };
        _folder = new QuickstartFolder(_temporary.File("quickstart"));
        File.WriteAllText(_study.Source, SampleCorpus.Text());
        _folder.Claim(_study);
        DataPreparation.Prepare(CorpusSource.Open(_study.Source), _folder.Data, new PreparationOptions { VocabularySize = 300 }).Dispose();
        foreach (var arm in _study.Arms)
        {
            Directory.CreateDirectory(_folder.Run(1, arm));
            // The paths that a call with a relative --output has left, in another working directory.
            new TrainingResult(1000, 1_024_000, 3, 1.5, 10_000, 1e11, 0.2, 60, $"runs/seed-1/{arm.Name}/model").Write(
                Path.Combine(_folder.Run(1, arm), TrainingResult.FileName)
            );
        }
        QuickstartExample.OneSeed.Write(_folder.Results);
        File.WriteAllText(_folder.Report, "the report");
        File.AppendAllText(_study.Source, "\n\nWhat the next version says about the horse.");
    }

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void FinishedResults_AreReused_WithModelsInTheFolderOfThisCall()
    {
        var outcome = Run([1]);

        Assert.Equal((5, 5, true), (outcome.ReusedRuns, outcome.Runs, outcome.ResultsReused));
        Assert.All(
            _study.Arms,
            arm =>
                Assert.Equal(
                    Path.Combine(_folder.Run(1, arm), "model"),
                    outcome.Results.Arms.Single(result => result.Name == arm.Name).Model
                )
        );
        Assert.Equal(outcome.Results.Arms, outcome.Results.Seeds[0].Arms);
        Assert.Equal("the report", File.ReadAllText(outcome.ReportFile));
    }

    [Fact]
    public void FinishedResults_AreReused_WithoutTheText()
    {
        File.Delete(_study.Source);

        Assert.True(Run([1]).ResultsReused);
    }

    [Fact]
    public void MissingReport_IsWrittenFromTheModelsInTheFolder()
    {
        var engram = _study.Arms.Single(arm => arm.Name == QuickstartStudy.Engram);
        using (var corpus = PreparedCorpus.Open(_folder.Data))
        using (var model = LanguageModel.Create(engram.Configuration, corpus.Tokenizer, seed: 1))
            model.Save(_folder.Model(1, engram.Name));
        foreach (var arm in _study.Arms)
        {
            File.WriteAllText(
                Path.Combine(_folder.Run(1, arm), "metrics.jsonl"),
                """
                {"step":1,"tokens":1024,"loss":4,"learning_rate":0.01,"gradient_norm":1,"tokens_per_second":10000}
                {"step":1,"validation_loss":3,"bits_per_byte":1.5}

                """
            );
        }
        File.Delete(_folder.Report);

        var outcome = Run([1]);

        Assert.True(outcome.ResultsReused);
        Assert.Contains("Layer 1, counted from 0", File.ReadAllText(outcome.ReportFile));
    }

    [Fact]
    public void MissingModel_IsRefused_BecauseTheTextIsAnother()
    {
        Assert.Contains("with other text", Assert.Throws<IOException>(() => Run([1, 2])).Message);
        File.Delete(Path.Combine(_folder.Run(1, _study.Arms[0]), TrainingResult.FileName));
        Assert.Contains("with other text", Assert.Throws<IOException>(() => Run([1])).Message);
    }

    [Fact]
    public void ResultsOfOtherSettings_AreRefused() =>
        Assert.Contains("study.json", Assert.Throws<IOException>(() => Run([1], _study with { VocabularySize = 400 })).Message);

    private QuickstartOutcome Run(long[] seeds, QuickstartStudy? study = null) =>
        new QuickstartRunner(study ?? _study, _folder.Root, new EngramCommand("/no/such/program", [])).Run(
            seeds,
            null,
            TestContext.Current.CancellationToken
        );
}
