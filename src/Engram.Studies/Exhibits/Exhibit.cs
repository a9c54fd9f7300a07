using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Planning;

namespace Engram.Studies.Exhibits;

/// <summary>
/// Something that a report shows of a trained model and that is no number: a part of a page, kept as a file beside the rows.
/// </summary>
/// <param name="Name">As studies name it, and in the file's name.</param>
/// <param name="Title">Above it.</param>
/// <param name="Applies">Whether a run has what is shown.</param>
/// <param name="Html">The part of a page; nothing in it is fetched.</param>
internal sealed record Exhibit(string Name, string Title, Func<PlannedRun, bool> Applies, Func<MeasuredRun, CancellationToken, string> Html)
{
    private static readonly IReadOnlyList<Exhibit> Known =
    [
        new("gates", "What the memory lets through", run => run.Configuration.Engram is not null, GatesOfText.Html),
        new("sample", "Sample texts", _ => true, SampleText.Html),
    ];

    /// <summary>The exhibits of a study, in its order.</summary>
    /// <exception cref="InvalidDataException">The study names one that there is not.</exception>
    public static IReadOnlyList<Exhibit> Of(Study study) =>
        [
            .. study.Exhibits.Select(name =>
                Known.SingleOrDefault(exhibit => exhibit.Name == name)
                ?? throw new InvalidDataException(
                    $"The study {study.Name} asks for the exhibit '{name}'. There are {string.Join(", ", Known.Select(exhibit => exhibit.Name))}."
                )
            ),
        ];

    /// <summary>Those of a run: models of a setting's first seed are shown.</summary>
    public static IEnumerable<Exhibit> Of(PlannedRun run) =>
        run.Seed == run.Setting.Seeds[0] ? Of(run.Study).Where(exhibit => exhibit.Applies(run)) : [];
}
