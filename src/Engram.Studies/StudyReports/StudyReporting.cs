using System.Text;
using Engram.Storage;
using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Pages;
using Engram.Studies.Planning;
using Engram.Studies.Results;
using Engram.Studies.Running;
using Engram.Studies.Verdicts;

namespace Engram.Studies.StudyReports;

/// <summary>
/// Writes reports from rows: of this machine, of slices that other machines did, or published ones. Nothing is trained and no text is read.
/// </summary>
public static class StudyReporting
{
    /// <summary>Writes the report of each study that has rows, and the index of all that have reports.</summary>
    /// <param name="studies">Which ones.</param>
    /// <param name="size">At which size.</param>
    /// <param name="folders">Where their rows are; the reports go beside them.</param>
    /// <exception cref="InvalidDataException">A file of rows is damaged, or there are no rows at all.</exception>
    public static IReadOnlyList<StudyReport> Write(IReadOnlyList<Study> studies, StudySize size, StudyFolders folders)
    {
        foreach (var study in studies)
            MergeSlices(study.Name, folders);
        var (all, texts) = (AllRows(folders), TextIdentities.Read(folders.Results));
        var reports = new List<StudyReport>();
        foreach (var study in studies.Where(study => all.Any(row => row.Study == study.Name && row.Size == size.Name)))
        {
            var report = Report(study, size, folders, all, texts);
            report.Write();
            reports.Add(report);
        }
        if (reports.Count == 0)
            throw new InvalidDataException(
                $"{folders.Results}: holds no rows of {string.Join(", ", studies.Select(study => study.Name))} at size {size.Name}. "
                    + $"Run them first: {RunCommand(studies, size, folders)}"
            );
        AtomicFile.WriteAllText(Path.Combine(folders.Results, "index.html"), Html.Page("Studies", Index(folders, all, texts)));
        return reports;
    }

    /// <summary>The command that measures the rows into these folders.</summary>
    private static string RunCommand(IReadOnlyList<Study> studies, StudySize size, StudyFolders folders)
    {
        var text = studies
            .Where(study => study.Sizes.ContainsKey(size.Name))
            .Any(study => StudyPlan.Of(study, size).Runs.Any(run => run.Corpus.Source == "text"));
        return $"engram study run {(studies.Count == 1 ? studies[0].Name : "all")} --size {size.Name} --runs {Word(folders.Runs)} "
            + $"--results {Word(folders.Results)}{(text ? " --text PATH" : "")}";

        static string Word(string path) => path.Any(char.IsWhiteSpace) ? $"'{path}'" : path;
    }

    /// <summary>What slices measured becomes one file, the same as that of a single machine.</summary>
    private static void MergeSlices(string study, StudyFolders folders)
    {
        var (files, whole) = (folders.RowFiles(study), folders.Rows(study));
        if (files.Count == 0)
            return;
        // A slice has newer rows than the whole file: of two rows with one key its row counts.
        MeasurementFile.WriteSorted(whole, files.OrderBy(file => file != whole).SelectMany(MeasurementFile.Read));
        foreach (var slice in files.Where(file => file != whole))
            File.Delete(slice);
    }

    private static List<Measurement> AllRows(StudyFolders folders) => [.. folders.AllRowFiles.SelectMany(MeasurementFile.Read)];

    /// <summary>The report of one study, from all rows that there are.</summary>
    internal static StudyReport Report(
        Study study,
        StudySize size,
        StudyFolders folders,
        IReadOnlyList<Measurement> rows,
        TextIdentities texts
    ) =>
        new(
            new StudyData(
                StudyPlan.Of(study, size),
                Measure.IsTimed(study) ? [.. rows, .. MeasurementFile.Sorted(MeasurementFile.Read(folders.Timings(study.Name)))] : rows,
                texts
            ),
            folders
        );

    /// <summary>Every study at every size that has rows.</summary>
    private static string Index(StudyFolders folders, IReadOnlyList<Measurement> rows, TextIdentities texts)
    {
        var body = new StringBuilder(
            "<h1>Studies</h1>\n<p>Experiments of the Engram paper on this software. A verdict is computed from the numbers; “within noise” means that three seeds or more do not decide, “undecided” that there are fewer, or that what a share is taken of is nearly nothing.</p>\n"
        );
        foreach (var size in StudyLibrary.Sizes)
        {
            var reports = StudyLibrary
                .Studies.Where(study => study.Sizes.ContainsKey(size.Name))
                .Where(study => rows.Any(row => row.Study == study.Name && row.Size == size.Name))
                .Select(study => Report(study, size, folders, rows, texts))
                .ToList();
            if (reports.Count == 0)
                continue;
            body.Append($"<h2>Size {size.Name}</h2>\n<p class=\"note\">{Html.Escape(size.Description)}</p>\n");
            body.Append(
                Html.Words(
                    ["study", "claim", "setting", "verdict", "numbers"],
                    reports.SelectMany(report =>
                        report.Verdicts.Select(
                            (verdict, number) =>
                                (IReadOnlyList<string>)
                                    [
                                        number > 0
                                            ? ""
                                            : $"<a href=\"{report.Study.Name}/{report.FileName}.html\">{Html.Escape(report.Study.Title)}</a><br><span class=\"note\">{report.Runs.Measured} of {report.Runs.Planned} runs</span>",
                                        Html.Escape(verdict.Claim.Text),
                                        Html.Escape(verdict.Setting),
                                        $"<span class=\"verdict\">{verdict.Words}</span>",
                                        Html.Escape(verdict.Sentence),
                                    ]
                        )
                    )
                )
            );
        }
        return body.ToString();
    }
}
