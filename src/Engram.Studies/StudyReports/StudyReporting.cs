using System.Text;
using Engram.Storage;
using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Studies.Reports;
using Engram.Studies.Rows;
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
        var reports = new List<StudyReport>();
        foreach (var study in studies)
        {
            var files = folders.RowFiles(study.Name);
            var rows = MeasurementFile.Sorted(files.SelectMany(MeasurementFile.Read));
            if (rows.All(row => row.Size != size.Name))
                continue;
            // What slices measured becomes one file, the same as that of a single machine.
            MeasurementFile.WriteSorted(folders.Rows(study.Name), rows);
            foreach (var slice in files.Where(file => file != folders.Rows(study.Name)))
                File.Delete(slice);
            var report = Report(study, size, folders, rows);
            report.Write(folders.Study(study.Name));
            reports.Add(report);
        }
        if (reports.Count == 0)
            throw new InvalidDataException(
                $"{folders.Results}: holds no rows of {string.Join(", ", studies.Select(study => study.Name))} at size {size.Name}. Run them first: engram study run {(studies.Count == 1 ? studies[0].Name : "all")} --size {size.Name}"
            );
        AtomicFile.WriteAllText(Path.Combine(folders.Results, "index.html"), Html.Page("Studies", Index(folders)));
        return reports;
    }

    private static StudyReport Report(Study study, StudySize size, StudyFolders folders, IReadOnlyList<Measurement> rows) =>
        new(
            new StudyData(
                StudyPlan.Of(study, size),
                Measure.IsTimed(study) ? [.. rows, .. MeasurementFile.Sorted(MeasurementFile.Read(folders.Timings(study.Name)))] : rows
            )
        );

    /// <summary>Every study at every size that has rows.</summary>
    private static string Index(StudyFolders folders)
    {
        var body = new StringBuilder(
            "<h1>Studies</h1>\n<p>Experiments of the Engram paper on this software. A verdict is computed from the numbers; “within noise” means that the seeds do not decide.</p>\n"
        );
        foreach (var size in StudyLibrary.Sizes)
        {
            var reports = StudyLibrary
                .Studies.Where(study => study.Sizes.ContainsKey(size.Name))
                .Select(study =>
                    (Study: study, Rows: MeasurementFile.Sorted(folders.RowFiles(study.Name).SelectMany(MeasurementFile.Read)))
                )
                .Where(entry => entry.Rows.Any(row => row.Size == size.Name))
                .Select(entry => Report(entry.Study, size, folders, entry.Rows))
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
