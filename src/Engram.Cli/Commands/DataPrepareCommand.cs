using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Spectre.Console;
using static Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>A corpus to token shards.</summary>
internal sealed class DataPrepareCommand : CliCommand
{
    // Of a thousand bad lines the first few tell what is wrong.
    private const int MostShown = 10;

    private static readonly PreparationOptions Defaults = new();

    private readonly Argument<string> _source = CorpusInput.Source();
    private readonly Option<string> _output = new("--output")
    {
        Description = "The folder to write; it must not exist, be empty, or hold the result of the same preparation",
        HelpName = "FOLDER",
        Required = true,
    };
    private readonly Option<string?> _tokenizer = new("--tokenizer")
    {
        Description = "A tokenizer.json, or a folder that holds one; without it one is trained on the corpus",
        HelpName = "PATH",
    };
    private readonly Option<int> _vocabularySize = CorpusInput.VocabularySize();
    private readonly Option<string> _endOfText = new("--end-of-text")
    {
        Description = "The special token before each document",
        HelpName = "TOKEN",
        DefaultValueFactory = _ => Defaults.EndOfText,
    };
    private readonly Option<string> _field = CorpusInput.Field();
    private readonly Option<bool> _skipBad = CorpusInput.SkipBad();
    private readonly Option<double> _mostLeftOut = new("--most-left-out")
    {
        Description =
            "Largest share of the training documents that may be left out as like validation documents; above it validation documents "
            + "give way, up to half of them",
        HelpName = "SHARE",
        DefaultValueFactory = _ => Defaults.MostLeftOut,
    };
    private readonly Option<double> _validationFraction = new("--validation-fraction")
    {
        Description = "Share of the documents kept for validation",
        HelpName = "SHARE",
        DefaultValueFactory = _ => Defaults.ValidationFraction,
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public DataPrepareCommand()
        : base(
            "prepare",
            "Read a corpus, leave out duplicates, divide it into training and validation, encode it.",
            "engram data prepare texts/ --output data",
            "engram data prepare dotnet-docs --output data --vocabulary-size 8192",
            "engram data prepare books.jsonl --output data --field content --tokenizer tokenizer.json"
        )
    {
        Add(_source);
        Add(_output);
        Add(_tokenizer);
        Add(_vocabularySize);
        Add(_endOfText);
        Add(_field);
        Add(_skipBad);
        Add(_validationFraction);
        Add(_mostLeftOut);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var source = CorpusInput.Open(parsed, _source, _field, cancellation, _skipBad);
        CorpusInput.Note(source);
        var options = new PreparationOptions
        {
            Tokenizer = parsed.GetValue(_tokenizer) is { } path ? TokenizerInput.Open(path, cancellation) : null,
            VocabularySize = parsed.GetValue(_vocabularySize),
            EndOfText = parsed.GetRequiredValue(_endOfText),
            ValidationFraction = parsed.GetValue(_validationFraction),
            MostLeftOut = parsed.GetValue(_mostLeftOut),
        };
        var output = parsed.GetRequiredValue(_output);
        var shown = 0;
        PreparedCorpus corpus;
        using (var line = new ProgressLine<PreparationProgress>(Describe))
            corpus = DataPreparation.Prepare(source, output, options, line, SkippedFew, cancellation);
        if (corpus.Summary.SkippedBad > shown)
            Terminal.Note($"… and {corpus.Summary.SkippedBad - shown:N0} more.");
        using (corpus)
        {
            if (parsed.GetValue(_json))
                Terminal.Json(corpus.Summary);
            else
                WriteTable(output, corpus.Summary);
        }

        void SkippedFew(string what)
        {
            if (shown == MostShown)
                return;
            shown++;
            Terminal.Note($"left out: {what}");
        }
    }

    private static string Describe(PreparationProgress progress) =>
        progress.Stage switch
        {
            PreparationStage.Reading => progress.Documents == 0 ? "reading" : $"reading: {progress.Documents:N0} documents",
            PreparationStage.LeavingOutDuplicates => $"looking for duplicates among {progress.Total:N0} documents",
            PreparationStage.TrainingTokenizer => $"training a tokenizer on {progress.Total:N0} documents",
            _ => $"encoding: {progress.Documents:N0} of {progress.Total:N0} documents",
        };

    private static void WriteTable(string folder, CorpusSummary summary)
    {
        var table = new Table().AddColumns(
            new TableColumn("part"),
            Number("documents"),
            Number("tokens"),
            Number("bytes of text"),
            Number("bytes per token")
        );
        foreach (var (name, part) in new[] { ("training", summary.Training), ("validation", summary.Validation) })
            table.AddRow(name, $"{part.Documents:N0}", $"{part.Tokens:N0}", $"{part.TextBytes:N0}", $"{part.BytesPerToken:F2}");
        Terminal.Answer.Write(table);
        var duplicates = summary.Deduplication;
        string[] told =
        [
            $"{duplicates.Read:N0} documents read{(summary.CutIntoParagraphGroups ? " (few, so cut into groups of paragraphs)" : "")}",
            $"{duplicates.Exact + duplicates.Normalised + duplicates.Near:N0} duplicates and {duplicates.NearValidation:N0} for training "
                + "that are like one for validation left out",
            .. duplicates.ValidationGivenUp > 0
                ? [$"{duplicates.ValidationGivenUp:N0} validation documents with many relatives given up"]
                : (string[])[],
            .. summary.SkippedBad > 0 ? [$"{summary.SkippedBad:N0} that cannot be read"] : (string[])[],
            $"{summary.VocabularySize:N0} token ids.",
        ];
        Console.Out.WriteLine(string.Join(", ", told));
        Console.Out.WriteLine(
            $"Next: engram train --preset quickstart-engram --data {Terminal.Word(folder)} --run run --steps 1000 --threads 1"
        );
    }
}
