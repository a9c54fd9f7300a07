using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora.World;
using Engram.Evaluation.Scoring;
using Engram.Evaluation.World;
using Engram.Models.Memory;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>What a model knows of a synthetic world.</summary>
internal sealed class EvalWorldCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Argument<string> _world = new("WORLD") { Description = "A folder written by engram data world" };
    private readonly Option<string?> _kinds = new("--kinds")
    {
        Description = "Question sets, divided by commas [default: all]",
        HelpName = "LIST",
    };
    private readonly Option<int?> _limit = new("--limit")
    {
        Description = "At most this many questions of each kind, the first",
        HelpName = "N",
    };
    private readonly Option<string> _memory = ModelInput.Use();
    private readonly Option<Suppression?> _suppress = SuppressOption.OfQuestions();
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalWorldCommand()
        : base(
            "world",
            "Ask a model the questions of a synthetic world: facts by how an n-gram can tell them and by their frequency, two-hops, passages, sums.",
            "engram eval world world --model run/model --threads 1",
            "engram eval world world --model run/model --memory off --kinds contiguous,scattered --json",
            "engram eval world world --model run/model --suppress order=3@prompt"
        )
    {
        Add(_world);
        _model.AddFolderTo(this);
        Add(_kinds);
        Add(_limit);
        Add(_memory);
        Add(_suppress);
        _model.AddEngineTo(this);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        _memory.Validators.Insert(
            0,
            given =>
            {
                if (given.Tokens is [{ Value: var uses }] && uses.Contains(',', StringComparison.Ordinal))
                    given.AddError(
                        $"--memory takes one use here; engram eval MODEL --tasks world --data-root WORLD --memory {uses} takes several."
                    );
            }
        );
        Validators.Add(given =>
        {
            if (given.GetResult(_suppress) is not null && given.GetResult(_memory)?.Tokens is [{ Value: "off" }])
                given.AddError("--suppress needs a memory that is on: one that is off has no part to silence.");
        });
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var summary = WorldSummary.Read(parsed.GetRequiredValue(_world));
        if (summary.Version != WorldOptions.Version)
            throw new InvalidDataException(
                $"{parsed.GetRequiredValue(_world)}: a world of version {summary.Version}; this program makes version {WorldOptions.Version}. Make the world again."
            );
        if (summary.QuestionsVersion != WorldQuestions.Version)
            Terminal.Note(
                $"The files of {parsed.GetRequiredValue(_world)} hold older questions; those asked here are of version {WorldQuestions.Version}. "
                    + "engram data world with the same options renews the files."
            );
        var sets = new WorldQuestions(new SyntheticWorld(summary.Options)).Sets().ToArray();
        var kinds =
            parsed.GetValue(_kinds)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            ?? [.. sets.Select(set => set.Kind)];
        if (kinds.FirstOrDefault(kind => sets.All(set => set.Kind != kind)) is { } unknown)
            throw new UsageException(
                $"--kinds: This world has no questions '{unknown}'; it has {string.Join(", ", sets.Select(set => set.Kind))}."
            );
        WorldQuestion[] questions =
        [
            .. sets.Where(set => kinds.Contains(set.Kind)).SelectMany(set => set.Questions.Take(parsed.GetValue(_limit) ?? int.MaxValue)),
        ];

        using IScoredModel model = _model.IsManaged(parsed)
            ? new ManagedModel(_model.OpenManaged(parsed))
            : new TorchModel(_model.Open(parsed));
        var part = parsed.GetValue(_suppress);
        if (part is not null)
            SuppressOption.Require(part, model.Configuration.Engram);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
        IReadOnlyList<WorldOutcome> outcomes;
        using (
            var line = new ProgressLine<ScoringProgress>(progress =>
                $"{progress.Requests:N0} of {progress.OfRequests:N0} choices, {progress.TokensPerSecond:N0} "
                + $"tokens/s{TimeLeft.Of(progress.Remaining)}"
            )
        )
            outcomes = WorldEvaluation.Ask(model, questions, memory.Bank, part, line, cancellation);
        WorldScore[] scores = [.. outcomes.GroupBy(outcome => outcome.Question.Kind).SelectMany(set => WorldScore.Of(set.Key, [.. set]))];
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    Memory = parsed.GetRequiredValue(_memory),
                    Suppressed = part?.ToString(),
                    QuestionsVersion = WorldQuestions.Version,
                    Scores = scores,
                }
            );
        else
            Write(scores);
    }

    private static void Write(WorldScore[] scores)
    {
        var table = new Table().AddColumns(
            new TableColumn("kind"),
            new TableColumn("questions"),
            Number("number"),
            Number("written, %"),
            Number("chosen, % (chance 25)"),
            Number("bits of possible")
        );
        foreach (var score in scores)
            table.AddRow(
                score.Group == "all" ? score.Kind : "",
                score.Group,
                $"{score.Questions:N0}",
                Percent(score.Exact, score.ExactError),
                $"{Percent(score.Chosen, score.ChosenError)}{(score.FollowsText is { } text ? $"; {100 * text:F1} the text's" : "")}",
                $"{score.Bits:F2} of {score.PossibleBits:F2}"
            );
        Terminal.Answer.Write(table);
    }

    private static string Percent(double share, double? error) =>
        error is null ? $"{100 * share:F1}" : $"{100 * share:F1} ± {100 * error:F1}";

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();
}
