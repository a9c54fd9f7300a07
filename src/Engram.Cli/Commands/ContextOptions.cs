using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Models.Configuration;

namespace Engram.Cli.Commands;

/// <summary>The options that give a trained model a longer context.</summary>
internal sealed class ContextOptions
{
    private readonly Option<int?> _original = new("--original-context")
    {
        Description =
            "Tokens of the sequences that the model was trained on before any extension [default: what an earlier extension says, or its "
            + "longest context]",
        HelpName = "N",
    };
    private readonly Option<double?> _factor = new("--yarn-factor")
    {
        Description =
            "YaRN's factor s, at least the new context over the original one [default: that of an earlier extension, or "
            + $"{ContextExtension.PaperFactor}, the paper's]",
        HelpName = "N",
    };
    private readonly Option<double?> _mscale = new("--yarn-mscale")
    {
        Description =
            "Coefficient of ln s in the temperature of attention [default: that of an earlier extension, or "
            + $"{ContextExtension.PaperMscale}, the paper's; DeepSeek-V3 has 1]",
        HelpName = "N",
    };

    /// <summary>The new context.</summary>
    public Option<int?> Length { get; } =
        new("--extend-context")
        {
            Description = "Give the model of --init a longer context by YaRN, in tokens; --length says how much of it the training uses",
            HelpName = "N",
        };

    /// <summary>How it is extended.</summary>
    public Option[] Details => [_original, _factor, _mscale];

    /// <summary>All of them.</summary>
    public Option[] All => [Length, .. Details];

    /// <summary>The model with the context that the command line asks for, or as it is.</summary>
    public ModelConfiguration Apply(ParseResult parsed, ModelConfiguration model) =>
        parsed.GetValue(Length) is { } context
            ? UsageException.Of(() =>
                ContextExtension.Extend(model, context, parsed.GetValue(_original), parsed.GetValue(_factor), parsed.GetValue(_mscale))
            )
            : model;
}
