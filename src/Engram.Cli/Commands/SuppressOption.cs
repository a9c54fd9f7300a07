using System.CommandLine;
using System.CommandLine.Parsing;
using Engram.Cli.CommandLine;
using Engram.Models.Configuration;
using Engram.Models.Memory;

namespace Engram.Cli.Commands;

/// <summary>The option that silences parts of a memory.</summary>
internal static class SuppressOption
{
    private const string Parts =
        "all, layer=2, order=3, head=0 (of every order), or several joined as layer=2,order=3; its rows are replaced by the mean row of their head";

    /// <summary>One part, of all tokens: for texts that have neither prompt nor answer.</summary>
    public static Option<Suppression?> OfTexts() =>
        new("--suppress")
        {
            Description = $"Silence a part of the memory: {Parts}",
            HelpName = "PART",
            CustomParser = given =>
            {
                var part = Read(given, given.Tokens[0]);
                if (part is { Tokens: not SuppressedTokens.All })
                    given.AddError($"--suppress {part}: a text has neither prompt nor answer; leave @ and what is behind it out.");
                return part;
            },
        };

    /// <summary>One part, of prompts or of answers if wanted.</summary>
    public static Option<Suppression?> OfQuestions() =>
        new("--suppress")
        {
            Description = $"Silence a part of the memory: {Parts}. Behind it @prompt or @answer: only for those tokens",
            HelpName = "PART",
            CustomParser = given => Read(given, given.Tokens[0]),
        };

    /// <summary>Several parts, each for itself, of prompts or of answers if wanted.</summary>
    public static Option<Suppression[]?> OfTasks() =>
        new("--suppress")
        {
            Description =
                $"Score each task once more with a part of the memory silenced, and say what share of the score is kept: {Parts}. "
                + "Behind it @prompt or @answer: only for those tokens. May stand several times, each for itself",
            HelpName = "PART",
            CustomParser = given => [.. given.Tokens.Select(token => Read(given, token)).OfType<Suppression>()],
        };

    /// <summary>Refuses a part that a memory does not have.</summary>
    /// <param name="part">The part.</param>
    /// <param name="memory">The configuration of the memory; null of a model without one.</param>
    /// <exception cref="UsageException">There is no such part, or no memory at all.</exception>
    public static void Require(Suppression part, EngramConfiguration? memory)
    {
        if (memory is null)
            throw new UsageException("--suppress: The model has no memory (its config.json has no engram_* keys). Leave the option out.");
        _ = UsageException.Of(() =>
        {
            part.RequireIn(memory);
            return part;
        });
    }

    private static Suppression? Read(ArgumentResult given, Token token)
    {
        try
        {
            return Suppression.Parse(token.Value);
        }
        catch (FormatException error)
        {
            given.AddError($"--suppress: {error.Message}");
            return null;
        }
    }
}
