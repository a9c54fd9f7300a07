using System.Globalization;
using System.Text;
using Engram.Storage;
using Engram.Studies.Definitions;
using Engram.Studies.Exhibits;
using Engram.Studies.Pages;
using Engram.Studies.Planning;
using Engram.Studies.Running;
using Engram.Studies.Verdicts;

namespace Engram.Studies.StudyReports;

/// <summary>The report of one study at one size: a Markdown page and one self-contained HTML page, made from rows alone.</summary>
public sealed class StudyReport
{
    private readonly StudyData _data;
    private readonly IReadOnlyList<Verdict> _verdicts;
    private readonly StudyFolders _folders;
    private readonly StudyTables _tables;

    /// <summary>Judges what was measured.</summary>
    internal StudyReport(StudyData data, StudyFolders folders) =>
        (_data, _verdicts, _folders, _tables) = (data, ClaimVerdicts.Of(data), folders, new StudyTables(data));

    /// <summary>What became of each claim.</summary>
    public IReadOnlyList<Verdict> Verdicts => _verdicts;

    /// <summary>The study.</summary>
    public Study Study => _data.Plan.Study;

    /// <summary>Runs planned, and those that have rows.</summary>
    public (int Planned, int Measured) Runs => (_data.Plan.Runs.Count, _data.MeasuredRuns);

    /// <summary>Rows of the study that count for nothing; both pages say how many.</summary>
    internal int RowsLeftOut => _data.RowsLeftOut;

    private string Measured =>
        $"{Runs.Measured} of {Runs.Planned} runs measured"
        + (RowsLeftOut > 0 ? $", {RowsLeftOut:N0} rows of other seeds, definitions or texts left out" : "");

    /// <summary>The name of its files without extension: the size is part of it, so that sizes lie beside each other.</summary>
    public string FileName => $"report-{_data.Plan.Size.Name}";

    private string Command =>
        $"engram study run {Study.Name} --size {_data.Plan.Size.Name}{(_data.Plan.Runs.Any(run => run.Corpus.Source == "text") ? " --text FOLDER" : "")}";

    /// <summary>Writes both pages into the folder of the study.</summary>
    public void Write()
    {
        var folder = _folders.Study(Study.Name);
        Directory.CreateDirectory(folder);
        AtomicFile.WriteAllText(Path.Combine(folder, FileName + ".md"), Markdown());
        AtomicFile.WriteAllText(Path.Combine(folder, FileName + ".html"), Page("../index.html"));
    }

    /// <summary>Writes the page of its own, without a way to others.</summary>
    /// <param name="path">The file.</param>
    public void WriteAlone(string path) => AtomicFile.WriteAllText(path, Page(index: null));

    /// <summary>Writes the study's first chart as a picture.</summary>
    /// <param name="path">The file.</param>
    /// <returns>False, and no file, where there is no chart, or the machine has no fonts.</returns>
    public bool TryWriteChart(string path) =>
        Study.Charts.Count > 0 && new StudyCharts(_data).Ours(Study.Charts[0]) is { } chart && chart.TryWritePng(path);

    /// <summary>The differences of a setting, paired by seed: what is compared, mean and spread.</summary>
    /// <param name="setting">The setting.</param>
    public IReadOnlyList<(string Difference, string Value)> Differences(StudySetting setting) =>
        [.. _tables.Differences(setting).Select(row => (row[0], row[1]))];

    /// <summary>The arms of a setting with their parameters and what was measured of them, as words.</summary>
    /// <param name="setting">The setting.</param>
    public (IReadOnlyList<string> Header, IReadOnlyList<IReadOnlyList<string>> Rows) ArmTable(StudySetting setting) =>
        _tables.Of(setting)[0];

    private string Page(string? index) => Html.Page($"{Study.Title} ({_data.Plan.Size.Name})", Body(index));

    /// <summary>The table of the study and its verdicts as Markdown.</summary>
    public string Markdown()
    {
        var text = new StringBuilder($"# {Study.Title}\n\n{Study.Question}\n\nSize {_data.Plan.Size.Name}, {Measured}. `{Command}`\n\n");
        text.Append("| claim | setting | verdict | numbers |\n|---|---|---|---|\n");
        foreach (var verdict in _verdicts)
            text.Append($"| {verdict.Claim.Text} | {verdict.Setting} | **{verdict.Words}** | {verdict.Sentence} |\n");
        foreach (var setting in _data.Settings)
        {
            text.Append($"\n{SettingLine(setting)}\n");
            foreach (var (header, rows) in _tables.Of(setting))
            {
                text.Append($"\n| {string.Join(" | ", header)} |\n|---|{string.Concat(Enumerable.Repeat("---:|", header.Count - 1))}\n");
                foreach (var row in rows)
                    text.Append($"| {string.Join(" | ", row)} |\n");
            }
        }
        if (_data.Plan.Equalities.Count > 0)
            text.Append("\nHeld equal:\n\n");
        foreach (var check in _data.Plan.Equalities)
            text.Append($"- {check.Describe()}\n");
        return text.ToString();
    }

    private string Body(string? index)
    {
        var body = new StringBuilder($"<h1>{Html.Escape(Study.Title)}</h1>\n<p>{Html.Escape(Study.Question)}</p>\n");
        body.Append(
            $"<p class=\"note\">Size {_data.Plan.Size.Name}: {Html.Escape(_data.Plan.Size.Description)} {Measured}. <code>{Html.Escape(Command)}</code>{(index is null ? "" : $" · <a href=\"{index}\">all studies</a>")}</p>\n"
        );
        Section("What the numbers say", Claims());
        Section(
            "Before the first run",
            $"<p><b>The paper.</b> {Html.Escape(Study.Paper)}</p>\n<p><b>Prediction.</b> {Html.Escape(Study.Prediction)}</p>\n<p><b>What would refute it.</b> {Html.Escape(Study.Refutation)}</p>\n"
        );
        var charts = new StudyCharts(_data);
        Section("Charts", string.Concat(Study.Charts.Select(charts.Figure)));
        foreach (var setting in _data.Settings)
            Section(SettingLine(setting), string.Concat(_tables.Of(setting).Append(DifferenceTable(setting)).Select(Escaped)));
        foreach (var exhibit in Exhibit.Of(Study))
            if (Shown(exhibit) is { Length: > 0 } shown)
                Section(exhibit.Title, shown);
        if (_data.Plan.Equalities.Count > 0)
            Section(
                "What is held equal",
                string.Concat(_data.Plan.Equalities.Select(check => $"<p>{Html.Escape(check.Describe())}</p>\n"))
            );
        if (Study.Cautions.Count > 0)
            Section(
                "Read this before believing it",
                $"<ul>{string.Concat(Study.Cautions.Select(caution => $"<li>{Html.Escape(caution)}</li>"))}</ul>\n"
            );
        Section("Configurations", Configurations());
        return body.ToString();

        void Section(string title, string content) => body.Append($"<h2>{Html.Escape(title)}</h2>\n{content}\n");
    }

    private string Claims() =>
        Html.Words(
            ["claim", "setting", "verdict", "numbers"],
            _verdicts.Select(verdict =>
                (IReadOnlyList<string>)
                    [
                        Html.Escape(verdict.Claim.Text),
                        Html.Escape(verdict.Setting),
                        $"<span class=\"verdict\">{verdict.Words}</span>",
                        Html.Escape(verdict.Sentence),
                    ]
            )
        )
        + "<p class=\"note\">Noise is twice the standard deviation over the seeds of what is compared, of which there are at least three; fewer decide nothing; of a difference it is no less than twice the median deviation of all differences from the same arm. Differences are paired by seed, whose runs see the same data in the same order; n counts the seeds where some are missing.</p>\n";

    private string SettingLine(StudySetting setting)
    {
        var measured = setting
            .Seeds.Where(seed => Study.Arms.Any(arm => _data.Seeds(setting.Name, arm.Name, "loss").ContainsKey(seed)))
            .ToList();
        var seeds = measured.Count switch
        {
            0 => "not measured",
            1 => $"seed {measured[0]}",
            _ => $"seeds {string.Join(", ", measured)}",
        };
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{setting.Name}: {setting.Tokens:N0} tokens of {setting.Corpus}, {seeds}{(measured.Count > 0 && measured.Count < setting.Seeds.Count ? $" of {setting.Seeds.Count}" : "")}{(setting.Selection ? ", to choose values only" : "")}"
        );
    }

    private (IReadOnlyList<string> Header, IReadOnlyList<IReadOnlyList<string>> Rows) DifferenceTable(StudySetting setting) =>
        (["difference, paired by seed", "mean ± deviation", "each seed"], _tables.Differences(setting));

    private static string Escaped((IReadOnlyList<string> Header, IReadOnlyList<IReadOnlyList<string>> Rows) table) =>
        table.Rows.Count == 0
            ? ""
            : Html.Table(
                [.. table.Header.Select(Html.Escape)],
                table.Rows.Select(row => (IReadOnlyList<string>)[.. row.Select(Html.Escape)])
            );

    /// <summary>What an exhibit shows of the models of each setting's first seed, as far as its files are there.</summary>
    private string Shown(Exhibit exhibit) =>
        string.Concat(
            _data
                .Plan.Runs.Where(run => Exhibit.Of(run).Contains(exhibit) && _data.Inputs(run) is not null)
                .Select(run => (Run: run, Path: _folders.Exhibit(Study.Name, _data.Inputs(run)!, exhibit.Name)))
                .Where(entry => File.Exists(entry.Path))
                .Select(entry => $"<h3>{Html.Escape(entry.Run.RowArm)}, seed {entry.Run.Seed}</h3>\n{File.ReadAllText(entry.Path)}")
        );

    private string Configurations()
    {
        var runs = _data.Plan.Runs.DistinctBy(run => (run.Setting, run.Arm)).ToList();
        return string.Concat(
                runs.Select(run =>
                    $"<details><summary>{Html.Escape(run.RowArm)}: {Html.Escape(run.Arm.Description)}</summary><pre>{Html.Escape(RunInputs.Describe(run, run.Corpus.Source).ToJsonString(Indented))}</pre></details>\n"
                )
            ) + "<p class=\"note\">Values that are the program's defaults are left out, as they are of the hash beside each row.</p>\n";
    }

    private static readonly System.Text.Json.JsonSerializerOptions Indented = new() { WriteIndented = true };
}
