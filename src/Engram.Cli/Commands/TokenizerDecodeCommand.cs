using System.CommandLine;
using System.Globalization;
using Engram.Cli.CommandLine;

namespace Engram.Cli.Commands;

/// <summary>Token ids to text.</summary>
internal sealed class TokenizerDecodeCommand : CliCommand
{
    private static readonly char[] Separators = [' ', ',', '[', ']', '\t', '\r', '\n'];

    private readonly Argument<string[]> _ids = new("IDS")
    {
        Description = "Token ids, divided by spaces or commas; left out, they are read from stdin",
    };
    private readonly Option<string> _tokenizer = TokenizerInput.Tokenizer();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TokenizerDecodeCommand()
        : base("decode", "Turn token ids into text.", "engram tokenizer decode --tokenizer tokenizer.json 22898 19737 270 9327")
    {
        Add(_ids);
        Add(_tokenizer);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var path = parsed.GetRequiredValue(_tokenizer);
        var tokenizer = TokenizerInput.Open(path, cancellation);
        string[] given = parsed.GetValue(_ids) is { Length: > 0 } arguments ? arguments : [Terminal.ReadInput(cancellation)];
        int[] ids = [.. given.SelectMany(word => word.Split(Separators, StringSplitOptions.RemoveEmptyEntries)).Select(Parse)];
        var text = tokenizer.Decode(ids);
        if (parsed.GetValue(_json))
            Terminal.Json(new { text });
        else
            Console.Out.WriteLine(text);

        // The library passes over ids without a token, because a model's vocabulary may be padded; typed by hand they are mistakes.
        int Parse(string word) =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id < tokenizer.VocabularySize
                ? id
                : throw new UsageException($"'{word}' is no token id: {path} has the ids 0 to {tokenizer.VocabularySize - 1}.");
    }
}
