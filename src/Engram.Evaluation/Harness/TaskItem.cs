using System.Text.Json.Nodes;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Scoring;

namespace Engram.Evaluation.Harness;

/// <summary>One item of a task, ready to be asked.</summary>
/// <param name="Index">Its number among the task's rows.</param>
/// <param name="Row">Its row, as it is asked (a control has exchanged columns).</param>
/// <param name="Prompt">What the model reads before the answer; for prefix tasks the prompts of all options, a line each.</param>
/// <param name="Options">The options, without delimiter; empty for tasks without.</param>
/// <param name="Golds">Indices of the right options.</param>
/// <param name="References">Right answers of a generation, each a list of spans; most have one.</param>
/// <param name="Shots">Worked examples in the prompt.</param>
/// <param name="Examples">
/// Where in the prompt each worked example begins that was put before the question, and at last the question itself, which may bring along
/// others; UTF-16 units.
/// </param>
/// <param name="Requests">
/// What is asked: for each option its likelihood, then, if a metric needs it, for each its likelihood behind the neutral prompt; or a
/// text, or one generation or several.
/// </param>
internal sealed record TaskItem(
    int Index,
    DatasetRow Row,
    string Prompt,
    IReadOnlyList<string> Options,
    IReadOnlyList<int> Golds,
    IReadOnlyList<IReadOnlyList<string>> References,
    int Shots,
    IReadOnlyList<int> Examples,
    IReadOnlyList<ScoringRequest> Requests
)
{
    /// <summary>The continuations that are scored as options, with the delimiter before them; empty for tasks without options.</summary>
    public IReadOnlyList<string> Continuations =>
        [.. Requests.Take(Options.Count).OfType<LikelihoodRequest>().Select(request => request.Continuation)];

    /// <summary>The prompts of all options of a prefix task; null for others, which have one prompt.</summary>
    public IReadOnlyList<string>? Prompts
    {
        get
        {
            string[] contexts = [.. Requests.Take(Options.Count).OfType<LikelihoodRequest>().Select(request => request.Context)];
            return contexts.Distinct().Skip(1).Any() ? contexts : null;
        }
    }

    /// <summary>The right answer as a sample shows it: an index or a text, or a list where there are several.</summary>
    public JsonNode? Gold =>
        Options.Count > 0
            ? Shown([.. Golds.Select(gold => (JsonNode)JsonValue.Create(gold))])
            : Shown([
                .. References.Select(reference =>
                    reference.Count == 1 ? (JsonNode)JsonValue.Create(reference[0])! : DatasetRow.ListOf(reference)
                ),
            ]);

    private static JsonNode? Shown(JsonNode[] golds) =>
        golds.Length == 0 ? null
        : golds.Length == 1 ? golds[0]
        : new JsonArray(golds);
}
