using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Evaluation.Layers;
using Engram.Torch;

namespace Engram.Cli.Commands;

/// <summary>
/// The texts over which the insides of models are looked at: one of four sources, each read by a model in its own tokens.
/// </summary>
internal sealed class LayerTexts : IDisposable
{
    private const string Sources = "--text, --few-nerd, --world or --data";

    private readonly Option<string?> _text = new("--text")
    {
        Description = "Text: a file, or a folder of files; a sample at the end of every word",
        HelpName = "PATH",
    };
    private readonly Option<string?> _fewNerd = new("--few-nerd")
    {
        Description = "Sentences of Few-NERD (text form, or .jsonl); a sample at the last token of every entity",
        HelpName = "FILE",
    };
    private readonly Option<string?> _world = new("--world")
    {
        Description = "A folder of engram data world; a sample at the last token of every name",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _data = new("--data")
    {
        Description = "The validation part of prepared data; every token is a sample",
        HelpName = "FOLDER",
    };
    private readonly Option<int> _limit = new("--limit")
    {
        Description = "At most this many texts, sentences or sequences",
        HelpName = "N",
        DefaultValueFactory = _ => 200,
    };
    private readonly Option<int> _length = new("--length")
    {
        Description = "Tokens of a sequence of --data",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.Length,
    };

    private PreparedCorpus? _corpus;
    private CorpusSource? _source;

    /// <summary>Adds the sources to a command, one of which must be given.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_text, _fewNerd, _world, _data, _limit, _length])
            command.Add(option);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_length);
        command.Validators.Add(given =>
        {
            if (((Option[])[_text, _fewNerd, _world, _data]).Count(option => given.GetResult(option) is not null) != 1)
                given.AddError($"Give one of {Sources}.");
        });
    }

    /// <summary>Refuses sources that are not there, before a model is loaded.</summary>
    public void Require(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_fewNerd) is { } sentences && !File.Exists(sentences))
            throw new FileNotFoundException($"{sentences}: there is no such file.", sentences);
        InputFile.RequireNoPipe(parsed.GetValue(_fewNerd), cancellation);
        if (parsed.GetValue(_text) is { } text)
            _source = CorpusInput.Open(text, null, cancellation);
        if (parsed.GetValue(_world) is { } world)
            _ = Corpora.World.WorldSummary.Read(world);
        if (parsed.GetValue(_data) is { } data)
            _corpus = PreparedCorpus.Open(data);
    }

    /// <summary>The name of the source, for titles.</summary>
    public string Name(ParseResult parsed) =>
        parsed.GetValue(_text) ?? parsed.GetValue(_fewNerd) ?? parsed.GetValue(_world) ?? parsed.GetValue(_data)!;

    /// <summary>The texts in the tokens of a model.</summary>
    public IEnumerable<SampledTokens> Of(ParseResult parsed, LanguageModel model, CancellationToken cancellation)
    {
        var limit = parsed.GetValue(_limit);
        if (_corpus is not null)
        {
            _corpus.RequireTokenizer(model.Tokenizer);
            return SampledTokens.Of(_corpus, limit, parsed.GetValue(_length));
        }

        var texts =
            _source is not null ? _source.Read(cancellation: cancellation).SelectMany(document => Paragraphs(document.Text))
            : parsed.GetValue(_fewNerd) is { } sentences ? FewNerd.Read(sentences)
            : WorldNames.Read(parsed.GetValue(_world)!);
        return SampledTokens.Of(model, texts.Take(limit));
    }

    /// <inheritdoc/>
    public void Dispose() => _corpus?.Dispose();

    /// <summary>Paragraphs: what empty lines divide.</summary>
    private static IEnumerable<MarkedText> Paragraphs(string text) =>
        text.ReplaceLineEndings("\n")
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(MarkedText.Words);
}
