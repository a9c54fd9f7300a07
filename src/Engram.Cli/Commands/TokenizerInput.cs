using System.CommandLine;
using Engram.Tokenization;

namespace Engram.Cli.Commands;

/// <summary>The inputs that the tokenizer commands share: which tokenizer, and a text that comes as an argument or on stdin.</summary>
internal static class TokenizerInput
{
    public static Option<string> Tokenizer() => new("--tokenizer")
    {
        Description = "A tokenizer.json, or a folder (model, prepared data) that holds one", HelpName = "PATH", Required = true,
    };

    public static Argument<string?> Text() => new("TEXT") { Description = "The text; left out, it is read from stdin", Arity = ArgumentArity.ZeroOrOne };

    public static Tokenizer Open(string path) => Engram.Tokenization.Tokenizer.Load(Directory.Exists(path) ? Path.Combine(path, "tokenizer.json") : path);

    public static string Read(ParseResult parsed, Argument<string?> text, CancellationToken cancellation) => parsed.GetValue(text) ?? Terminal.ReadInput(cancellation);
}
