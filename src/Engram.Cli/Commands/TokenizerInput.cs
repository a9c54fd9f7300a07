using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora.Files;
using Engram.Tokenization;

namespace Engram.Cli.Commands;

/// <summary>The inputs that the tokenizer commands share: which tokenizer, and a text that comes as an argument or on stdin.</summary>
internal static class TokenizerInput
{
    private static readonly (string Name, TypedTokens Value)[] Meanings =
    [
        ("recognized", Tokenization.TypedTokens.Recognized),
        ("special-as-text", Tokenization.TypedTokens.SpecialAsText),
        ("all-as-text", Tokenization.TypedTokens.AllAsText),
    ];

    public static Option<string> Tokenizer() =>
        new("--tokenizer")
        {
            Description = "A tokenizer.json, or a folder (model, prepared data) that holds one",
            HelpName = "PATH",
            Required = true,
        };

    public static Argument<string?> Text() =>
        new("TEXT") { Description = "The text; left out, it is read from stdin", Arity = ArgumentArity.ZeroOrOne };

    public static Option<string> TypedTokens()
    {
        var option = new Option<string>("--typed-tokens")
        {
            Description =
                "What added tokens such as <|endoftext|> mean where the text contains them: tokens, text if they are special, or always "
                + "text",
            HelpName = "MEANING",
            DefaultValueFactory = _ => Meanings[0].Name,
        };
        option.OneOf([.. Meanings.Select(meaning => meaning.Name)]);
        return option;
    }

    public static TypedTokens TypedTokensOf(string meaning) => Meanings.Single(entry => entry.Name == meaning).Value;

    public static Tokenizer Open(string path, CancellationToken cancellation)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, "tokenizer.json") : path;
        InputFile.RequireNoPipe(file, cancellation);
        var tokenizer = Engram.Tokenization.Tokenizer.Load(file);
        foreach (var section in tokenizer.IgnoredSections)
            Terminal.Note($"{path}: ignored: {section}. Texts are neither cut nor filled up.");
        return tokenizer;
    }

    public static string Read(ParseResult parsed, Argument<string?> text, CancellationToken cancellation) =>
        parsed.GetValue(text) ?? Terminal.ReadInput(cancellation);
}
