using Engram.Evaluation.Inspection;
using Engram.Studies.Measures;
using Engram.Studies.Pages;

namespace Engram.Studies.Exhibits;

/// <summary>Which tokens of a text the gates of a memory open for.</summary>
internal static class GatesOfText
{
    private const int Tokens = 48;

    /// <summary>The beginning of a validation document, each token shaded by its gate.</summary>
    public static string Html(MeasuredRun run, CancellationToken cancellation) =>
        GateReport.Section(MemoryInspection.Run(run.Model, ValidationText.ProseOpening(run.Corpus, Tokens), run.Model.Memory));
}
