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
    private readonly Option<string> _memory = ModelInput.UseList();
    private readonly Option<Suppression?> _suppress = SuppressOption.OfQuestions();
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalWorldCommand()
        : base(
            "world",
            "Ask a model the questions of a synthetic world: facts by how an n-gram can tell them and by their frequency, two-hops, passages, sums.",
            "engram eval world world --model run/model --threads 1",
            "engram eval world world --model run/model --memory on,off --kinds contiguous,scattered --json",
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
        Validators.Add(given => ModelInput.RefuseSilenceOfNothing(given, _suppress, _memory));
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
        var asked = ModelInput
            .UsesOf(parsed, _memory, model.Memory)
            .Select(use => (Memory: use, Scores: Ask(model, questions, use, part, cancellation)))
            .ToArray();
        if (parsed.GetValue(_json))
            Terminal.Json(
                asked.Select(entry => new
                {
                    entry.Memory,
                    Suppressed = part?.ToString(),
                    QuestionsVersion = WorldQuestions.Version,
                    entry.Scores,
                })
            );
        else
            Write(asked);
    }

    private static WorldScore[] Ask(
        IScoredModel model,
        WorldQuestion[] questions,
        string use,
        Suppression? part,
        CancellationToken cancellation
    )
    {
        using var memory = ModelInput.Memory(model.Memory, use);
        using var line = new ProgressLine<ScoringProgress>(progress =>
            $"memory {use}: {progress.Requests:N0} of {progress.OfRequests:N0} choices, {progress.TokensPerSecond:N0} "
            + $"tokens/s{TimeLeft.Of(progress.Remaining)}"
        );
        var outcomes = WorldEvaluation.Ask(model, questions, memory.Bank, part, line, cancellation);
        return [.. outcomes.GroupBy(outcome => outcome.Question.Kind).SelectMany(set => WorldScore.Of(set.Key, [.. set]))];
    }

    /// <summary>A row for each group of questions and use of the memory; the groups are the same for all uses.</summary>
    private static void Write((string Memory, WorldScore[] Scores)[] asked)
    {
        var alone = asked.Length == 1;
        var table = new Table().AddColumns(new TableColumn("kind"), new TableColumn("questions"), Number("number"));
        if (!alone)
            table.AddColumn(new TableColumn("memory"));
        table.AddColumns(Number("written, %"), Number("chosen, % (chance 25)"), Number("bits of possible"));
        for (var i = 0; i < asked[0].Scores.Length; i++)
            foreach (var (memory, scores) in asked)
            {
                var (score, first) = (scores[i], memory == asked[0].Memory);
                table.AddRow([
                    first && score.Group == "all" ? score.Kind : "",
                    first ? score.Group : "",
                    first ? $"{score.Questions:N0}" : "",
                    .. alone ? (string[])[] : [memory],
                    Percent(score.Written, score.WrittenError),
                    $"{Percent(score.Chosen, score.ChosenError)}{(score.FollowsText is { } text ? $"; {100 * text:F1} the text's" : "")}",
                    $"{score.Bits:F2} of {score.PossibleBits:F2}",
                ]);
            }
        Terminal.Answer.Write(table);
    }

    private static string Percent(double share, double? error) =>
        error is null ? $"{100 * share:F1}" : $"{100 * share:F1} ± {100 * error:F1}";

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();
}
