using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Storage;
using Engram.Tokenization;

namespace Engram.Cli.Commands;

/// <summary>Learns a vocabulary from a corpus.</summary>
internal sealed class TokenizerTrainCommand : CliCommand
{
    private readonly Argument<string> _source = CorpusInput.Source();
    private readonly Option<string> _output = new("--output")
    {
        Description = "The tokenizer.json to write; one that exists is replaced",
        HelpName = "FILE",
        Required = true,
    };
    private readonly Option<int> _vocabularySize = CorpusInput.VocabularySize();
    private readonly Option<string> _field = CorpusInput.Field();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TokenizerTrainCommand()
        : base(
            "train",
            "Learn a byte-level vocabulary from a corpus.",
            "engram tokenizer train texts/ --output tokenizer.json --vocabulary-size 8192",
            "engram tokenizer train dotnet-docs --output tokenizer.json"
        )
    {
        Add(_source);
        Add(_output);
        Add(_vocabularySize);
        Add(_field);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.GetRequiredValue(_output);
        AtomicFile.RequireWritable(output);
        var source = CorpusInput.Open(parsed, _source, _field, cancellation);
        var trainer = new BpeTrainer(
            new BpeTrainerOptions
            {
                VocabularySize = parsed.GetValue(_vocabularySize),
                SpecialTokens = [new PreparationOptions().EndOfText, PreparationOptions.Padding],
            }.Validated()
        );
        Tokenizer tokenizer;
        using (var line = new ProgressLine<BpeTrainingProgress>(Describe))
            tokenizer = trainer.Train(
                source.Read(cancellation: cancellation).Select(document => document.Text),
                new Cancelling(line, cancellation)
            );
        tokenizer.Save(output);
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    Output = output,
                    tokenizer.VocabularySize,
                    tokenizer.Fingerprint,
                }
            );
        else
            Console.Out.WriteLine($"{output}: {tokenizer.VocabularySize:N0} token ids.");
    }

    private static string Describe(BpeTrainingProgress progress) =>
        progress.VocabularySize == 0
            ? $"reading: {progress.CharactersRead:N0} characters, {progress.DistinctPieces:N0} different pieces"
            : $"merging: {progress.VocabularySize:N0} token ids";

    /// <summary>The trainer takes no token, but reports often enough to be stopped there.</summary>
    private sealed class Cancelling(IProgress<BpeTrainingProgress> inner, CancellationToken cancellation) : IProgress<BpeTrainingProgress>
    {
        public void Report(BpeTrainingProgress value)
        {
            cancellation.ThrowIfCancellationRequested();
            inner.Report(value);
        }
    }
}
