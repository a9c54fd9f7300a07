using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Studies.Pages;
using Engram.Tokenization;
using Engram.Vocabulary;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>How a text is cut, and which tokens the memory takes for the same.</summary>
internal sealed class TokenizerInspectCommand : CliCommand
{
    private const int Groups = 10;
    private const int ShownTokens = 12;

    private readonly Argument<string?> _text = new("TEXT")
    {
        Description = "A text to cut; left out, only the vocabulary is described",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<string> _tokenizer = TokenizerInput.Tokenizer();
    private readonly Option<string> _typedTokens = TokenizerInput.TypedTokens();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TokenizerInspectCommand()
        : base(
            "inspect",
            "Show how a text is cut into tokens, and which tokens the memory takes for the same.",
            "engram tokenizer inspect --tokenizer tokenizer.json \"Only Alexander the Great could tame the horse Bucephalus.\"",
            "engram tokenizer inspect --tokenizer data/ --json"
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
        var canonical = CanonicalMap.Build(tokenizer);
        var pieces = parsed.GetValue(_text) is { } text
            ? tokenizer.Pieces(text, TokenizerInput.TypedTokensOf(parsed.GetRequiredValue(_typedTokens)))
            : [];
        if (parsed.GetValue(_json))
            WriteJson(tokenizer, canonical, pieces);
        else
            WriteTables(tokenizer, canonical, pieces);
    }

    private static void WriteJson(Tokenizer tokenizer, CanonicalMap canonical, IReadOnlyList<TokenPiece> pieces) =>
        Terminal.Json(
            new
            {
                tokenizer.VocabularySize,
                CompressedVocabularySize = canonical.CanonicalVocabularySize,
                tokenizer.Fingerprint,
                SpecialTokens = tokenizer.AddedTokens.Where(token => token.Special).Select(token => new { token.Id, token.Content }),
                LargestGroups = canonical
                    .LargestGroups(Groups)
                    .Select(group => new
                    {
                        group.CanonicalId,
                        group.TokenIds,
                        Tokens = group.TokenIds.Select(tokenizer.IdToToken),
                    }),
                Pieces = pieces.Select(piece => new
                {
                    piece.Text,
                    piece.Ids,
                    CanonicalIds = piece.Ids.Select(id => canonical[id]),
                }),
            }
        );

    private static void WriteTables(Tokenizer tokenizer, CanonicalMap canonical, IReadOnlyList<TokenPiece> pieces)
    {
        if (pieces.Count > 0)
        {
            var cut = new Table().AddColumns("piece", "token ids", "tokens", "canonical ids");
            foreach (var piece in pieces)
                cut.AddRow(
                    new Text(VisibleText.Of(piece.Text)),
                    new Text(string.Join(' ', piece.Ids)),
                    new Text(string.Join(' ', piece.Ids.Select(id => Readable(tokenizer, id)))),
                    new Text(string.Join(' ', piece.Ids.Select(id => canonical[id])))
                );
            Terminal.Answer.Write(cut);
            Terminal.Answer.WriteLine($"{pieces.Sum(piece => piece.Ids.Count):N0} tokens in {pieces.Count:N0} pieces");
        }

        Terminal.Answer.WriteLine(
            $"{tokenizer.VocabularySize:N0} token ids, {canonical.CanonicalVocabularySize:N0} canonical ids "
                + $"({1 - (double)canonical.CanonicalVocabularySize / tokenizer.VocabularySize:P1} fewer)"
        );
        var groups = new Table().AddColumns("canonical id", "tokens", "largest groups");
        foreach (var group in canonical.LargestGroups(Groups).Where(group => group.TokenIds.Count > 1))
            groups.AddRow(
                new Text($"{group.CanonicalId}"),
                new Text($"{group.TokenIds.Count:N0}"),
                new Text(
                    string.Join(' ', group.TokenIds.Take(ShownTokens).Select(id => Readable(tokenizer, id)))
                        + (group.TokenIds.Count > ShownTokens ? " …" : "")
                )
            );
        Terminal.Answer.Write(groups);
    }

    /// <summary>The text of a token; its bytes in hexadecimal where they are no text by themselves.</summary>
    private static string Readable(Tokenizer tokenizer, int id)
    {
        var text = tokenizer.Decode([id]);
        return text.Contains('\uFFFD') ? $"<{Convert.ToHexString(tokenizer.TokenBytes(id))}>" : VisibleText.Of(text);
    }
}
