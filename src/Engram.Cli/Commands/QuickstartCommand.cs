using System.CommandLine;
using System.Globalization;
using Engram.Cli.CommandLine;
using Engram.Corpora.Files;
using Engram.Studies.Definitions;
using Engram.Studies.Processes;
using Engram.Studies.Results;
using Engram.Studies.Running;
using Engram.Studies.StudyReports;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>The first thing to run: the study "quickstart" with one seed, in a folder of its own, told at length.</summary>
internal sealed class QuickstartCommand : CliCommand
{
    private const string StudyName = "quickstart",
        DotnetDocs = "dotnet-docs",
        Text = "text";

    private readonly Option<string> _output = new("--output")
    {
        Description = "The folder for data, models, measurements and report.html; what is finished there is reused",
        HelpName = "FOLDER",
        DefaultValueFactory = _ => Path.Combine("runs", "quickstart"),
    };
    private readonly Option<string> _source = new("--source")
    {
        Description =
            "The text: a file, a folder (what engram data prepare takes), or dotnet-docs for the documentation in the installed .NET SDK",
        HelpName = "SOURCE",
        DefaultValueFactory = _ => DotnetDocs,
    };
    private readonly Option<string?> _seeds = new("--seeds")
    {
        Description =
            "Seeds, divided by commas; every arm is trained with each of them [default: those of the results that are there, or 1]",
        HelpName = "LIST",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public QuickstartCommand()
        : base(
            StudyName,
            "Train a tokenizer and five small models with equal active parameters (dense, two mixtures of experts, Engram, a control), compare them, write a report. Minutes on two cores.",
            "engram quickstart",
            "engram quickstart --seeds 1,2,3",
            "engram quickstart --source speeches --output runs/quickstart-speeches"
        )
    {
        Add(_output);
        Add(_source);
        Add(_seeds);
        Add(_json);
    }

    public override string AfterInterruption(ParseResult parsed) =>
        "The same command goes on from here: finished models are reused, the others continue from their last checkpoint.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (output, source) = (parsed.GetRequiredValue(_output), parsed.GetRequiredValue(_source));
        InputFile.RequireNoPipe(source, cancellation);
        if (File.Exists(output))
            throw new IOException($"{output}: is a file. Choose another --output.");
        var folders = Folders(output);
        var (study, size) = Definition(
            source,
            parsed.GetValue(_seeds) is { } list ? Seeds(list) : SeedsThere(folders, source == DotnetDocs ? null : Text)
        );
        Run(study, size, output, source, EngramCommand.OfThisProgram(), parsed.GetValue(_json), cancellation);
    }

    private static StudyFolders Folders(string output) => new(output, Path.Combine(output, "results"));

    /// <summary>Runs a study in a folder of its own, and tells of it.</summary>
    internal static void Run(
        Study study,
        StudySize size,
        string output,
        string source,
        EngramCommand command,
        bool json,
        CancellationToken cancellation
    )
    {
        var folders = Folders(output);
        using var corpora = new StudyCorpora(Path.Combine(output, "data"), source);
        var runner = new StudyRunner([study], size, folders, corpora, command);
        StudyOutcome outcome;
        using (var line = new ProgressLine<StudyProgress>(StudyInput.Describe))
            outcome = runner.Run(line, cancellation);
        if (outcome.Failures.Count > 0)
            throw new IOException($"{outcome.Failures.Count} models failed; everything else is done. {string.Join(" ", outcome.Failures)}");

        var models = runner.Models();
        foreach (var model in models)
            Link(output, model);
        var report = StudyReporting.Write([study], size, folders).Single();
        var page = Path.Combine(output, "report.html");
        report.WriteAlone(page);
        report.TryWriteChart(Path.Combine(output, "chart.png"));
        if (json)
            Terminal.Json(
                new
                {
                    Report = page,
                    Models = models.Select(model => new
                    {
                        model.Arm,
                        model.Seed,
                        Model = Path.Combine(Named(output, model), "model"),
                    }),
                    Measurements = MeasurementFile.Read(folders.Rows(study.Name)),
                    Verdicts = report.Verdicts.Select(verdict => new
                    {
                        Claim = verdict.Claim.Text,
                        verdict.Words,
                        verdict.Sentence,
                    }),
                }
            );
        else
            Write(report, size, outcome, output, page);
    }

    /// <summary>The study with the text and the seeds of this call. A text of the user's takes the place of the documentation.</summary>
    internal static (Study Study, StudySize Size) Definition(string source, IReadOnlyList<long> seeds)
    {
        var size = StudyLibrary.Size("nano");
        var study = StudyLibrary.Named(StudyName, size.Name)[0];
        var setting = study.Sizes[size.Name].Single() with { Seeds = seeds };
        if (source != DotnetDocs)
        {
            var text = size.Corpora[setting.Corpus] with { Source = Text };
            size = size with { Corpora = new Dictionary<string, StudyCorpus> { [Text] = text } };
            setting = setting with { Name = Text, Corpus = Text };
        }
        var sizes = new Dictionary<string, IReadOnlyList<StudySetting>> { [size.Name] = [setting] };
        return (study with { Sizes = sizes }, size);
    }

    /// <summary>Without --seeds a report keeps the seeds it has: one of three seeds must not become one of one.</summary>
    private static IReadOnlyList<long> SeedsThere(StudyFolders folders, string? setting)
    {
        var rows = MeasurementFile.Read(folders.Rows(StudyName));
        List<long> seeds =
        [
            .. rows.Where(row => row.Arm.StartsWith($"{setting ?? "docs"}/", StringComparison.Ordinal))
                .Select(row => row.Seed)
                .Distinct()
                .Order(),
        ];
        if (seeds.Count > 1)
            Terminal.Note(
                $"The results there have the seeds {string.Join(", ", seeds)}: all of them are reported again. Give --seeds for others."
            );
        return seeds.Count > 0 ? seeds : [1];
    }

    private static long[] Seeds(string list)
    {
        long[] seeds =
        [
            .. list.Split(',', StringSplitOptions.TrimEntries)
                .Select(word =>
                    long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
                        ? seed
                        : throw new UsageException(
                            $"'{word}' in --seeds {list} is no seed: give whole numbers divided by commas, for example 1,2,3."
                        )
                ),
        ];
        return seeds.Distinct().Count() == seeds.Length
            ? seeds
            : throw new UsageException($"--seeds {list} names a seed twice: give each once.");
    }

    /// <summary>Gives a model, whose own name is a hash, a name for people: seed-N/ARM.</summary>
    internal static void Link(string output, TrainedModel model)
    {
        var path = Named(output, model);
        var target = Path.GetRelativePath(Path.GetDirectoryName(path)!, model.Run);
        if (new DirectoryInfo(path) is { Exists: true, LinkTarget: null })
            throw new IOException($"{path}: is a folder that this command did not make. Choose another --output, or move it away.");
        if (new FileInfo(path).LinkTarget == target)
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Delete(path);
        File.CreateSymbolicLink(path, target);
    }

    private static string Named(string output, TrainedModel model) =>
        Path.Combine(output, string.Create(CultureInfo.InvariantCulture, $"seed-{model.Seed}"), model.Arm);

    private static void Write(StudyReport report, StudySize size, StudyOutcome outcome, string output, string page)
    {
        if (outcome.Trained == 0)
            Console.Out.WriteLine("Everything was there already: nothing was trained or measured again.");
        else if (outcome.Reused > 0)
            Console.Out.WriteLine(
                $"{outcome.Reused} of {outcome.Reused + outcome.Trained} models were there already and have been reused."
            );
        var setting = report.Study.Sizes[size.Name].Single();
        var (header, rows) = report.ArmTable(setting);
        var table = new Table().AddColumn(header[0]).AddColumns([.. header.Skip(1).Select(name => new TableColumn(name).RightAligned())]);
        foreach (var row in rows)
            table.AddRow([.. row]);
        Terminal.Answer.Write(table);
        Console.Out.WriteLine("Parameters leave out the vocabulary; losses are in nats per token of text that is not trained on.");
        Console.Out.WriteLine();
        foreach (var (difference, value) in report.Differences(setting))
            Console.Out.WriteLine($"{difference}: {value}");
        Console.Out.WriteLine();
        foreach (var verdict in report.Verdicts)
            Console.Out.WriteLine($"{verdict.Claim.Text}\n  {verdict.Words}: {verdict.Sentence}");

        var model = Path.Combine(output, $"seed-{setting.Seeds[0]}", "engram", "model");
        Console.Out.WriteLine($"\nReport: {page}");
        Console.Out.WriteLine($"Next:   engram generate --model {model} --prompt \"Returns a new\"");
        Console.Out.WriteLine($"        engram inspect --model {model} --prompt \"Returns a new string\"");
        if (setting.Seeds.Count < 3)
            Console.Out.WriteLine(
                $"One seed is an anecdote. For three: engram quickstart --seeds {string.Join(',', Enumerable.Range(0, 3).Select(i => setting.Seeds[0] + i))}"
            );
    }
}
