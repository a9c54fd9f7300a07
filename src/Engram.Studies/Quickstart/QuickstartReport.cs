using System.Globalization;
using System.Text;
using Engram.Storage;
using Engram.Studies.Reports;
using Engram.Studies.Runs;
using Engram.Studies.Statistics;

namespace Engram.Studies.Quickstart;

/// <summary>The report of a quickstart: <c>report.html</c>, one file that needs no network, and <c>chart.png</c>.</summary>
/// <param name="study">What was run.</param>
/// <param name="folder">Holds the runs.</param>
/// <param name="results">What was measured.</param>
/// <param name="findings">The same in sentences.</param>
internal sealed class QuickstartReport(
    QuickstartStudy study,
    QuickstartFolder folder,
    QuickstartResults results,
    IReadOnlyList<Finding> findings
)
{
    private const double Million = 1e6;
    private const int PointsOfACurve = 50;

    private readonly SeedResult _first = results.Seeds[0];
    private readonly bool _severalSeeds = results.Seeds.Count > 1;
    private readonly Dictionary<string, TrainingCurve> _curves = study.Arms.ToDictionary(
        arm => arm.Name,
        arm => TrainingCurve.Read(folder.Run(results.Seeds[0].Seed, arm))
    );

    /// <summary>Writes both files.</summary>
    /// <param name="gates">The picture of the gates over a sample text, an element.</param>
    public void Write(string gates)
    {
        ValidationChart().TryWritePng(folder.Chart);
        AtomicFile.WriteAllText(folder.Report, Html.Page("Engram quickstart", Body(gates)));
    }

    private string Body(string gates)
    {
        var body = new StringBuilder();
        body.Append($"<h1>Engram quickstart</h1>\n<p>{Html.Escape(Summary())}</p>\n");
        Section(
            "What the numbers say",
            string.Concat(findings.Select(finding => $"<p><b>{Html.Escape(finding.Question)}.</b> {Html.Escape(finding.Answer)}</p>\n"))
        );
        Section("The models", ArmTable() + ArmNotes());
        if (_severalSeeds)
            Section(
                "Differences, paired by seed",
                DifferenceTable()
                    + SeedChart()
                        .Figure(
                            "Each point is one training; the arms stand side by side, so that differences between arms can be seen beside those between seeds."
                        )
            );
        Section(
            _severalSeeds ? $"Curves of seed {_first.Seed}" : "Curves",
            ValidationChart()
                .Figure("Loss on text that is not trained on. Lower is better; only the ends of the curves compare finished models.")
                + TrainingChart().Figure("The same on the text of the updates.")
        );
        Section("Memory switched off, rows shuffled", MemoryTable());
        Section("What the memory lets through", gates);
        Section("Sample texts", Samples());
        Section("Settings", Settings());
        Section("More seeds, other text", MoreSeeds);
        return body.ToString();

        void Section(string title, string content) => body.Append($"<h2>{Html.Escape(title)}</h2>\n{content}\n");
    }

    private string Summary()
    {
        var training = results.Training;
        return $"{study.Arms.Count} small language models with about equal active parameters, each trained on {training.Steps * training.TokensPerStep / Million:0.00} million tokens "
            + $"of {results.Corpus.Source}, {(_severalSeeds ? $"with the {results.Seeds.Count} seeds {string.Join(", ", results.Seeds.Select(seed => seed.Seed))}" : $"with the one seed {_first.Seed}")}. "
            + "Models this small, trained this briefly, show that the parts work and how they compare here; they say nothing about large models.";
    }

    private string ArmTable()
    {
        string[] header = ["arm", "parameters", "active", "of them memory", "validation loss", "bits per byte", "tokens/s"];
        return Html.Table(
            header,
            study.Arms.Select(arm =>
            {
                var (result, statistics) = (_first.Arm(arm.Name), results.Statistics.Single(entry => entry.Name == arm.Name));
                return (string[])
                    [
                        $"<span class=\"swatch\" style=\"background:{arm.Color}\"></span>{arm.Name}",
                        $"{result.TotalParameters:N0}",
                        $"{result.ActiveParameters:N0}",
                        $"{result.MemoryParameters:N0}",
                        Spread(statistics.ValidationLoss, "0.000"),
                        Spread(statistics.BitsPerByte, "0.000"),
                        $"{statistics.TokensPerSecond.Mean:N0}",
                    ];
            })
        );
    }

    private string ArmNotes() =>
        $"""
            <p class="note">{string.Join("; ", study.Arms.Select(arm => $"<b>{arm.Name}</b>: {Html.Escape(arm.Description)}"))}.</p>
            <p class="note">Parameters count the tied vocabulary matrix once; active parameters, those that one token touches, leave it out. The loss is the mean cross-entropy per validation token in nats;
            bits per byte is the same over the bytes of the text. Speed is that of training in one thread while the other arms ran beside it{(
                _severalSeeds ? "; with several seeds: mean ± standard deviation (smallest to largest)" : ""
            )}.</p>
            """;

    private string DifferenceTable() =>
        Html.Table(
            [
                "arm less baseline, nats",
                .. results.Seeds.Select(seed => $"seed {seed.Seed}"),
                "mean",
                "smallest",
                "largest",
                "standard deviation",
            ],
            results.Differences.Select(pair =>
                (string[])
                    [
                        $"{pair.Arm} − {pair.Baseline}",
                        .. pair.PerSeed.Select(QuickstartFindings.Signed),
                        QuickstartFindings.Signed(pair.Mean),
                        QuickstartFindings.Signed(pair.Min),
                        QuickstartFindings.Signed(pair.Max),
                        $"{pair.StandardDeviation:0.000}",
                    ]
            )
        );

    private string MemoryTable()
    {
        string[] header = ["validation loss, nats", .. results.Seeds.Select(seed => $"seed {seed.Seed}")];
        return Html.Table(
            header,
            [
                Row($"{QuickstartStudy.Engram}, as trained", seed => seed.Arm(QuickstartStudy.Engram).ValidationLoss),
                Row($"{QuickstartStudy.Engram}, memory switched off", seed => seed.MemoryOffLoss),
                Row($"{QuickstartStudy.Engram}, rows shuffled", seed => seed.ShuffledRowsLoss),
                Row($"{QuickstartStudy.OneRow}, as trained", seed => seed.Arm(QuickstartStudy.OneRow).ValidationLoss),
                Row($"{QuickstartStudy.OneRow}, memory switched off", seed => seed.OneRowMemoryOffLoss),
            ]
        );

        string[] Row(string name, Func<SeedResult, double> loss) => [name, .. results.Seeds.Select(seed => $"{loss(seed):0.000}")];
    }

    private string Samples() =>
        string.Concat(
            _first.Samples.Select(sample =>
                $"<p><b>{sample.Arm}</b></p><pre><span class=\"prompt\">{Html.Escape(_first.Prompt)}</span>{Html.Escape(sample.Text)}</pre>\n"
            )
        )
        + $"<p class=\"note\">The grey beginning is that of a validation document. Temperature {study.Sampling.Temperature}, top-p {study.Sampling.TopP}, the same draws for every model.</p>";

    private string Settings()
    {
        var (corpus, machine) = (results.Corpus, results.Machine);
        (string Name, string Value)[] settings =
        [
            (
                "Corpus",
                $"{corpus.Source}: {corpus.Documents:N0} documents, {corpus.TrainingTokens:N0} training and {corpus.ValidationTokens:N0} validation tokens"
            ),
            (
                "Tokenizer",
                $"byte-level BPE, {corpus.VocabularySize:N0} ids, trained on the training part; {corpus.BytesPerToken:0.00} bytes per token"
            ),
            ("Machine", $"{machine.Processor}, {machine.Cores} cores, {machine.MemoryGib:0.0} GiB, {machine.System}"),
            ("Versions", $"engram {machine.Engram}, .NET {machine.Dotnet}, TorchSharp {machine.TorchSharp}"),
            ("Wall time", $"{results.Seconds:0} s in the call that wrote the results; runs that were there already took none of it"),
        ];
        return string.Concat(settings.Select(setting => $"<p><b>{setting.Name}</b>: {Html.Escape(setting.Value)}</p>\n"))
            + $"<p><b>Training</b>, the same for every arm:</p><pre>{Html.Escape(results.Training.ToJson())}</pre>";
    }

    private const string MoreSeeds = """
        <p>One seed is an anecdote. This trains the arms with three, reuses those that are there, and reports mean, spread and the differences paired by seed:</p>
        <pre>engram quickstart --seeds 1,2,3</pre>
        <p>API documentation repeats itself and is easy for an n-gram memory. The same on text of your own, for example a folder of speeches:</p>
        <pre>engram quickstart --source speeches --output runs/quickstart-speeches --seeds 1,2,3</pre>
        """;

    private LineChart ValidationChart() =>
        new(
            "Validation loss during training",
            "training tokens, million",
            "nats per token",
            [
                .. study.Arms.Select(arm =>
                {
                    var points = _curves[arm.Name].Validation;
                    return new ChartLine(
                        $"{arm.Name} {_first.Arm(arm.Name).ValidationLoss:0.000}",
                        arm.Color,
                        [.. points.Select(point => point.Step * results.Training.TokensPerStep / Million)],
                        [.. points.Select(point => point.Loss)]
                    );
                }),
            ]
        );

    private LineChart TrainingChart() =>
        new(
            "Training loss, averaged over the updates between two points",
            "training tokens, million",
            "nats per token",
            [
                .. study.Arms.Select(arm =>
                {
                    var training = _curves[arm.Name].Training;
                    var groups = training.Chunk(Math.Max(1, training.Count / PointsOfACurve)).ToList();
                    return new ChartLine(
                        arm.Name,
                        arm.Color,
                        [.. groups.Select(group => group[^1].Tokens / Million)],
                        [.. groups.Select(group => group.Average(point => point.Loss))]
                    );
                }),
            ]
        );

    private LineChart SeedChart() =>
        new(
            "Final validation loss, one point per seed",
            "",
            "nats per token",
            [
                .. study.Arms.Select(
                    (arm, position) =>
                        new ChartLine(
                            arm.Name,
                            arm.Color,
                            [.. results.Seeds.Select(_ => (double)position)],
                            [.. results.Seeds.Select(seed => seed.Arm(arm.Name).ValidationLoss)],
                            Connected: false
                        )
                ),
            ]
        )
        {
            Categories = [.. study.Arms.Select(arm => arm.Name)],
        };

    private string Spread(SeedStatistics statistics, string format) =>
        _severalSeeds
            ? $"{statistics.Mean.ToString(format, CultureInfo.InvariantCulture)} ± {statistics.StandardDeviation!.Value.ToString(format, CultureInfo.InvariantCulture)} ({statistics.Min.ToString(format, CultureInfo.InvariantCulture)} to {statistics.Max.ToString(format, CultureInfo.InvariantCulture)})"
            : statistics.Mean.ToString(format, CultureInfo.InvariantCulture);
}
