using System.Diagnostics;
using Engram.Corpora;
using Engram.Evaluation.Inspection;
using Engram.Studies.Processes;
using Engram.Studies.Reports;
using Engram.Torch;
using Engram.Torch.Native;
using Engram.Training;

namespace Engram.Studies.Quickstart;

/// <summary>What a call of the quickstart did.</summary>
/// <param name="Results">What was measured, now or before.</param>
/// <param name="Findings">The same in sentences.</param>
/// <param name="ReusedRuns">Training runs that were there already.</param>
/// <param name="Runs">Training runs that the results rest on.</param>
/// <param name="ResultsReused">Whether nothing at all had to be trained or measured.</param>
/// <param name="ResultsFile">results.json.</param>
/// <param name="ReportFile">report.html.</param>
public sealed record QuickstartOutcome(
    QuickstartResults Results,
    IReadOnlyList<Finding> Findings,
    int ReusedRuns,
    int Runs,
    bool ResultsReused,
    string ResultsFile,
    string ReportFile
);

/// <summary>
/// Runs the quickstart: corpus and tokenizer, all arms of all seeds, measurements, results, report. Whatever a call finds finished in the
/// folder
/// it uses; whatever interrupts it, the next call goes on from there. The text itself is looked at only while something has to be trained
/// on it: a
/// finished quickstart outlives an update of the .NET SDK whose documentation it was trained on.
/// </summary>
/// <param name="study">What to run.</param>
/// <param name="root">The folder for everything.</param>
/// <param name="command">How processes of this program are started.</param>
public sealed class QuickstartRunner(QuickstartStudy study, string root, EngramCommand command)
{
    private const int GateTokens = 48;

    private readonly QuickstartFolder _folder = new(root);

    /// <summary>The seeds of the results that are there, or null if there are none.</summary>
    /// <exception cref="InvalidDataException">The results are damaged.</exception>
    public IReadOnlyList<long>? SeedsReported() =>
        QuickstartResults.Read(_folder.Results) is { } results ? [.. results.Seeds.Select(seed => seed.Seed)] : null;

    /// <summary>Runs what is not yet done.</summary>
    /// <param name="seeds">Seeds, at least one, each once. The first one's figures are the ones at the top of the results.</param>
    /// <param name="progress">Told about twice a second.</param>
    /// <param name="cancellation">Ends everything, processes included; nothing finished is lost.</param>
    /// <exception cref="ArgumentException">No seed, or one twice.</exception>
    /// <exception cref="IOException">
    /// The folder holds another study, or cannot be written; or models are missing, and the text is no longer the one the others were
    /// trained on.
    /// </exception>
    /// <exception cref="InvalidDataException">The corpus, or a file of an earlier call, is damaged.</exception>
    /// <exception cref="ChildProcessException">A training run failed.</exception>
    public QuickstartOutcome Run(
        IReadOnlyList<long> seeds,
        IProgress<QuickstartProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (seeds.Count == 0 || seeds.Distinct().Count() != seeds.Count)
            throw new ArgumentException($"Seeds are {string.Join(", ", seeds)}; give at least one, and each once.");
        var clock = Stopwatch.StartNew();
        using var corpus = Trained(seeds) ? Reopen() : Prepare(clock, progress, cancellation);
        var reused = new ArmTraining(study, _folder, command).RunAsync(seeds, progress, cancellation).GetAwaiter().GetResult();
        var runs = seeds.Count * study.Arms.Count;

        var earlier = reused == runs ? QuickstartResults.Read(_folder.Results) : null;
        var resultsReused = earlier is not null && seeds.SequenceEqual(earlier.Seeds.Select(seed => seed.Seed));
        var results = resultsReused ? earlier!.WithModelsIn(_folder) : Measure(seeds, corpus, clock, progress, cancellation);
        var findings = QuickstartFindings.Of(results);
        if (!_folder.ReportIsCurrent)
        {
            progress?.Report(new QuickstartProgress("writing the report", [], clock.Elapsed, null));
            new QuickstartReport(study, _folder, results, findings).Write(Gates(results, corpus));
        }
        return new QuickstartOutcome(results, findings, reused, runs, resultsReused, _folder.Results, _folder.Report);
    }

    private bool Trained(IReadOnlyList<long> seeds) =>
        File.Exists(Path.Combine(_folder.Data, CorpusSummary.FileName))
        && seeds.All(seed => study.Arms.All(arm => TrainingResult.Read(_folder.Run(seed, arm)) is not null));

    private PreparedCorpus Reopen()
    {
        _folder.Claim(study);
        return PreparedCorpus.Open(_folder.Data);
    }

    private PreparedCorpus Prepare(Stopwatch clock, IProgress<QuickstartProgress>? progress, CancellationToken cancellation)
    {
        var source = CorpusSource.Open(study.Source, new CorpusOptions { MaxDocuments = study.MaxDocuments });
        _folder.Claim(study);
        var corpus = DataPreparation.Prepare(
            source,
            _folder.Data,
            new PreparationOptions { VocabularySize = study.VocabularySize },
            new PreparationReports(progress, clock),
            cancellation: cancellation
        );
        // The texts are garbage now. Nothing allocates here while the arms are trained, so without asking the memory would stay taken from
        // them.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        return corpus;
    }

    private QuickstartResults Measure(
        IReadOnlyList<long> seeds,
        PreparedCorpus corpus,
        Stopwatch clock,
        IProgress<QuickstartProgress>? progress,
        CancellationToken cancellation
    )
    {
        // Like the arms during their validations, so that the losses can be compared to the last bit.
        ThreadSettings.IntraOperation = 1;
        var measurement = new SeedMeasurement(study, _folder, corpus);
        var measured = new List<SeedResult>();
        foreach (var seed in seeds)
        {
            progress?.Report(new QuickstartProgress($"measuring the models of seed {seed}", [], clock.Elapsed, null));
            measured.Add(measurement.Measure(seed, cancellation));
        }
        var summary = corpus.Summary;
        var figures = new CorpusFigures(
            summary.Source,
            summary.Training.Documents + summary.Validation.Documents,
            summary.Training.Tokens,
            summary.Validation.Tokens,
            summary.VocabularySize,
            summary.Validation.BytesPerToken
        );
        var results = QuickstartResults.Of(study, measured, figures, clock.Elapsed.TotalSeconds);
        results.Write(_folder.Results);
        return results;
    }

    private static string Gates(QuickstartResults results, PreparedCorpus corpus)
    {
        using var model = LanguageModel.Load(results.Seeds[0].Arm(QuickstartStudy.Engram).Model);
        var inspection = MemoryInspection.Run(model, ValidationText.ProseOpening(corpus, GateTokens), model.Memory);
        return GateReport.Section(inspection);
    }

    private sealed class PreparationReports(IProgress<QuickstartProgress>? progress, Stopwatch clock) : IProgress<PreparationProgress>
    {
        public void Report(PreparationProgress value) =>
            progress?.Report(
                new QuickstartProgress(
                    value.Stage switch
                    {
                        PreparationStage.Reading => "reading the corpus",
                        PreparationStage.LeavingOutDuplicates => "looking for duplicates",
                        PreparationStage.TrainingTokenizer => "training the tokenizer",
                        _ => "encoding the corpus",
                    },
                    [],
                    clock.Elapsed,
                    null
                )
            );
    }
}
