using System.Text.Json;

namespace Engram.Evaluation.Datasets;

/// <summary>
/// Names of subjects as the publishers of CMMLU (<c>name_en2zh</c>) and C-Eval (<c>subject_mapping.json</c>) write them above their
/// questions; the files are called by English ones.
/// </summary>
internal static class ChineseSubjects
{
    private static readonly Dictionary<string, Dictionary<string, string>> Names = Read();

    /// <summary>The row with a column "subject_zh": the name of its column "subject", or that itself where no name is known.</summary>
    /// <param name="row">With a column "subject".</param>
    /// <param name="benchmark">Whose names: cmmlu or ceval.</param>
    public static DatasetRow Name(DatasetRow row, string benchmark)
    {
        var subject = row.Text("subject");
        return row.With(("subject_zh", Names[benchmark].GetValueOrDefault(subject.Replace(' ', '_'), subject)));
    }

    private static Dictionary<string, Dictionary<string, string>> Read()
    {
        using var resource = typeof(ChineseSubjects).Assembly.GetManifestResourceStream("chinese-subjects.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, string>>>(resource)!;
    }
}
