using System.CommandLine;
using System.Diagnostics;
using Engram.Cli.CommandLine;
using Engram.Evaluation.LongPpl;
using Engram.Models.Memory;
using Engram.Torch;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Perplexity over the tokens that need a long context.</summary>
internal sealed class EvalLongPplCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Argument<string> _source = CorpusInput.Source();
    private readonly Option<string> _field = CorpusInput.Field();
    private readonly Option<string?> _evaluator = new("--evaluator")
    {
        Description = "The model folder that finds key tokens [default: the model itself]",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _keys = new("--keys")
    {
        Description = "A folder of key intervals that were found before: slice_0.txt for the first text, and so on",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _writeKeys = new("--write-keys")
    {
        Description = "Write the key intervals that the evaluator finds to a folder",
        HelpName = "FOLDER",
    };
    private readonly Option<int?> _limit = new("--limit")
    {
        Description = "At most this many texts, the first of the source",
        HelpName = "N",
    };
    private readonly Option<int?> _length = new("--length")
    {
        Description = "Most tokens of a text that the model reads, and the evaluator too [default: what fits into the context of each]",
        HelpName = "N",
    };
    private readonly Option<string> _memory = ModelInput.Use();
    private readonly Option<Suppression?> _suppress = SuppressOption.OfTexts();
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalLongPplCommand()
        : base(
            "longppl",
            "Measure LongPPL: the perplexity over tokens that an evaluator predicts well after the whole text and badly after its last 4,096 tokens.",
            "engram eval longppl novels --model run/model --evaluator strong/model --write-keys keys",
            "engram eval longppl novels --model run/model --keys keys --limit 50 --json"
        )
    {
        Add(_source);
        _model.AddFolderTo(this);
        Add(_field);
        Add(_evaluator);
        Add(_keys);
        Add(_writeKeys);
        Add(_limit);
        Add(_length);
        Add(_memory);
        Add(_suppress);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_length);
        Validators.Add(given =>
        {
            if (given.GetResult(_keys) is not null && (given.GetResult(_evaluator) is not null || given.GetResult(_writeKeys) is not null))
                given.AddError("--keys takes key intervals as they are, without --evaluator and --write-keys.");
            ModelInput.RefuseSilenceOfNothing(given, _suppress, _memory);
        });
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var source = CorpusInput.Open(parsed, _source, _field, cancellation);
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory, parsed.GetValue(_suppress));
        using var other = parsed.GetValue(_evaluator) is { } folder
            ? LanguageModel.Load(folder, model.Transformer.Parameters.Device)
            : null;
        var evaluator = other ?? model;
        var readFrom = parsed.GetValue(_keys) is { } keys ? new KeyFiles(keys) : null;
        var writeTo = parsed.GetValue(_writeKeys) is { } written ? new KeyFiles(written) : null;
        var context = model.Configuration.MaxPositionEmbeddings;
        var tokens = parsed.GetValue(_length) ?? context;
        if (tokens > context)
            throw new UsageException(
                $"--length: Texts of {tokens:N0} tokens do not fit into the context of the model; at most {context:N0} do."
            );
        // The evaluator reads one token before the text.
        var judged = readFrom is null ? Math.Min(tokens, evaluator.Configuration.MaxPositionEmbeddings - 1) : tokens;
        if (readFrom is null && judged < KeyWindow.Published.ShortContext)
            Terminal.Note(
                $"No token of texts of {judged:N0} tokens can be key: key tokens have more than {KeyWindow.Published.ShortContext:N0} before them."
            );
        else if (judged < tokens - 1)
            Terminal.Note($"Of each text the evaluator finds key tokens among its first {judged:N0}; the model reads up to {tokens:N0}.");
        var measured = new List<(LongText Text, IntervalPlaces Keys)>();
        var start = Stopwatch.GetTimestamp();
        using (
            var line = new ProgressLine<int>(done =>
                $"{done:N0} {(done == 1 ? "text" : "texts")}, {TimeLeft.Clock(Stopwatch.GetElapsedTime(start) / done)} each"
            )
        )
            foreach (var document in source.Read(cancellation: cancellation).Take(parsed.GetValue(_limit) ?? int.MaxValue))
            {
                // What the model reads depends on the model alone: plain perplexity is the same whoever finds the keys. Intervals count
                // characters of the uncut text, whose beginning stays.
                var text = LongPerplexity.Cut(model.Tokenizer, document.Text, tokens);
                var found =
                    readFrom?.Read(measured.Count, cancellation)
                    ?? LongPerplexity.KeyIntervals(
                        evaluator,
                        LongPerplexity.Cut(evaluator.Tokenizer, text, judged),
                        evaluator.Memory,
                        cancellation: cancellation
                    );
                writeTo?.Write(measured.Count, found);
                measured.Add(
                    (
                        LongPerplexity.Measure(model, document.Name, text, found, memory.Bank, cancellation),
                        IntervalPlaces.Of(found, document.Text, text)
                    )
                );
                line.Report(measured.Count);
            }
        if (measured.Count == 0)
            throw new InvalidDataException($"'{source.Spec}' holds no text.");
        RequireKeysOfTheseTexts(parsed.GetValue(_keys), [.. measured.Select(entry => entry.Keys)]);
        Write(parsed, measured, readFrom is null ? parsed.GetValue(_evaluator) ?? "the model itself" : parsed.GetValue(_keys)!);
    }

    /// <summary>Says which intervals do not count, and refuses those of which none does: they were found in other texts.</summary>
    private static void RequireKeysOfTheseTexts(string? keys, IntervalPlaces[] places)
    {
        var (all, inside) = (places.Sum(place => place.Intervals), places.Sum(place => place.Inside));
        if (keys is null || inside == all)
            return;
        var (behind, outside) = (places.Sum(place => place.BehindCut), places.Sum(place => place.OutsideText));
        var where = $"{outside:N0} reach over the end of their text, {behind:N0} over the end of what the model reads of it";
        if (inside == 0)
            throw new InvalidDataException(
                $"{keys}: none of the {all:N0} key intervals lies in the texts: {where}. Give the texts that they were found in, in the same "
                    + "order, or more of them (--length)."
            );
        Terminal.Note($"{all - inside:N0} of the {all:N0} key intervals of {keys} do not count: {where}.");
    }

    private void Write(ParseResult parsed, List<(LongText Text, IntervalPlaces Keys)> measured, string evaluator)
    {
        LongText[] texts = [.. measured.Select(entry => entry.Text)];
        var (key, all) = (LongPerplexity.OfKeys(texts), LongPerplexity.OfAll(texts));
        var (keyTokens, tokens) = (texts.Sum(text => (long)text.KeyTokens), texts.Sum(text => (long)text.Tokens));
        if (parsed.GetValue(_json))
        {
            Terminal.Json(
                new
                {
                    LongPerplexity = key,
                    PooledLongPerplexity = LongPerplexity.OfPooledKeys(texts),
                    Perplexity = all,
                    KeyTokens = keyTokens,
                    Tokens = tokens,
                    Evaluator = evaluator,
                    Memory = parsed.GetRequiredValue(_memory),
                    Suppressed = parsed.GetValue(_suppress)?.ToString(),
                    Texts = measured.Select(entry => new
                    {
                        entry.Text.Text,
                        entry.Text.Tokens,
                        entry.Text.Nats,
                        entry.Text.KeyTokens,
                        entry.Text.KeyNats,
                        KeyIntervals = entry.Keys.Intervals,
                        IntervalsBehindCut = entry.Keys.BehindCut,
                        IntervalsOutsideText = entry.Keys.OutsideText,
                    }),
                }
            );
            return;
        }

        var table = new Table().AddColumns(
            new TableColumn("text"),
            Number("tokens"),
            Number("perplexity"),
            Number("key tokens"),
            Number("LongPPL")
        );
        foreach (var text in texts)
            table.AddRow(
                Markup.Escape(text.Text),
                $"{text.Tokens:N0}",
                $"{Math.Exp(text.Nats):F3}",
                $"{text.KeyTokens:N0}",
                text.KeyNats is { } nats ? $"{Math.Exp(nats):F3}" : "–"
            );
        Terminal.Answer.Write(table);
        Console.Out.WriteLine(
            $"LongPPL {(key is { } value ? $"{value:F4}" : "undefined")} over {keyTokens:N0} key tokens, perplexity {all:F4} over {tokens:N0} tokens; key tokens by {evaluator}"
        );
    }

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();
}
