using System.CommandLine;
using Engram.Cli.CommandLine;

namespace Engram.Cli.Commands;

/// <summary>Text to token ids.</summary>
internal sealed class TokenizerEncodeCommand : CliCommand
{
    private readonly Argument<string?> _text = TokenizerInput.Text();
    private readonly Option<string> _tokenizer = TokenizerInput.Tokenizer();
    private readonly Option<string> _typedTokens = TokenizerInput.TypedTokens();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TokenizerEncodeCommand()
        : base(
            "encode",
            "Turn a text into token ids.",
            "engram tokenizer encode --tokenizer tokenizer.json \"Only Alexander the Great\"",
            "engram tokenizer encode --tokenizer data/ --json < chapter.txt"
        )
    {
        Add(_text);
        Add(_tokenizer);
        Add(_typedTokens);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var tokenizer = TokenizerInput.Open(parsed.GetRequiredValue(_tokenizer), cancellation);
        var ids = tokenizer.Encode(
            TokenizerInput.Read(parsed, _text, cancellation),
            typedTokens: TokenizerInput.TypedTokensOf(parsed.GetRequiredValue(_typedTokens))
        );
        if (parsed.GetValue(_json))
            Terminal.Json(new { ids });
        else
            Console.Out.WriteLine(string.Join(' ', ids));
    }
}
