using System.CommandLine;
using System.Diagnostics;
using Engram.Cli.CommandLine;
using Engram.Evaluation.LongPpl;
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
        Description = "Texts are cut to so many tokens of the model and of the evaluator [default: the smaller context]",
        HelpName = "N",
    };
    private readonly Option<string> _memory = ModelInput.Use();
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
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_length);
        Validators.Add(given =>
        {
            if (given.GetResult(_keys) is not null && (given.GetResult(_evaluator) is not null || given.GetResult(_writeKeys) is not null))
                given.AddError("--keys takes key intervals as they are, without --evaluator and --write-keys.");
        });
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var source = CorpusInput.Open(parsed, _source, _field, cancellation);
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
        using var other = parsed.GetValue(_evaluator) is { } folder
            ? LanguageModel.Load(folder, model.Transformer.Parameters.Device)
            : null;
        var evaluator = other ?? model;
        var readFrom = parsed.GetValue(_keys) is { } keys ? new KeyFiles(keys) : null;
        var writeTo = parsed.GetValue(_writeKeys) is { } written ? new KeyFiles(written) : null;
        // The evaluator reads one token before the text.
        var most = Math.Min(
            model.Configuration.MaxPositionEmbeddings,
            readFrom is null ? evaluator.Configuration.MaxPositionEmbeddings - 1 : int.MaxValue
        );
        var tokens = parsed.GetValue(_length) ?? most;
        if (tokens > most)
            throw new ArgumentOutOfRangeException(
                "length",
                tokens,
                $"Texts of {tokens:N0} tokens do not fit into the context; at most {most:N0} do."
            );

        if (readFrom is null && tokens < KeyWindow.Published.ShortContext)
            Terminal.Note(
                $"No token of texts of {tokens:N0} tokens can be key: key tokens have more than {KeyWindow.Published.ShortContext:N0} before them."
            );
        var measured = new List<LongText>();
        var start = Stopwatch.GetTimestamp();
        using (
            var line = new ProgressLine<int>(done =>
                $"{done:N0} {(done == 1 ? "text" : "texts")}, {TimeLeft.Clock(Stopwatch.GetElapsedTime(start) / done)} each"
            )
        )
            foreach (var document in source.Read(cancellation: cancellation).Take(parsed.GetValue(_limit) ?? int.MaxValue))
            {
                // Intervals that were found before count characters of the uncut text, whose beginning stays.
                var text = LongPerplexity.Cut(model.Tokenizer, document.Text, tokens);
                if (readFrom is null && other is not null)
                    text = LongPerplexity.Cut(other.Tokenizer, text, tokens);
                var found =
                    readFrom?.Read(measured.Count, cancellation)
                    ?? LongPerplexity.KeyIntervals(evaluator, text, evaluator.Memory, cancellation: cancellation);
                writeTo?.Write(measured.Count, found);
                measured.Add(LongPerplexity.Measure(model, document.Name, text, found, memory.Bank, cancellation));
                line.Report(measured.Count);
            }
        if (measured.Count == 0)
            throw new InvalidDataException($"'{source.Spec}' holds no text.");
        Write(parsed, measured, readFrom is null ? parsed.GetValue(_evaluator) ?? "the model itself" : parsed.GetValue(_keys)!);
    }

    private void Write(ParseResult parsed, List<LongText> texts, string evaluator)
    {
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
                    Texts = texts,
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
