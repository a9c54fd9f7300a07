using System.Globalization;

namespace Engram.Models.Configuration;

/// <summary>
/// A trained model's configuration for longer texts: YaRN (arXiv 2309.00071) as DeepSeek applies it, with the settings of the Engram paper
/// unless told otherwise.
/// </summary>
public static class ContextExtension
{
    /// <summary>Factor s of the paper's extension from 4,096 to 32,768 tokens.</summary>
    public const double PaperFactor = 10;

    /// <summary>Coefficient f of ln s in the softmax temperature of the paper's extension.</summary>
    public const double PaperMscale = 0.707;

    /// <summary>The same model with a longer context. No weight changes its name or shape.</summary>
    /// <param name="model">What was trained.</param>
    /// <param name="context">Longest sequence from now on, in tokens.</param>
    /// <param name="original">
    /// Context of the training before the first extension. Default: what an earlier extension says, otherwise the longest sequence so far.
    /// </param>
    /// <param name="factor">
    /// s, at least <paramref name="context"/> over <paramref name="original"/>. Default: that of an earlier extension, otherwise
    /// <see cref="PaperFactor"/>.
    /// </param>
    /// <param name="mscale">f. Default: that of an earlier extension, otherwise <see cref="PaperMscale"/>.</param>
    /// <exception cref="ArgumentException">The context is not longer than the original one, or longer than the factor reaches.</exception>
    public static ModelConfiguration Extend(
        ModelConfiguration model,
        int context,
        int? original = null,
        double? factor = null,
        double? mscale = null
    )
    {
        var earlier = model.RopeScaling is { } yarn && model.MaxPositionEmbeddings > yarn.OriginalMaxPositionEmbeddings ? yarn : null;
        var from = original ?? earlier?.OriginalMaxPositionEmbeddings ?? model.MaxPositionEmbeddings;
        var by = factor ?? earlier?.Factor ?? PaperFactor;
        var temperature = mscale ?? earlier?.MscaleAllDim ?? PaperMscale;
        if (context <= from)
            throw new ArgumentException(
                $"A context of {context} tokens does not exceed the original one of {from}: extend it further, or say on how many "
                    + "tokens a sequence the model was trained."
            );
        if (from * by < context)
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"A factor of {by} takes the original context of {from} tokens to ")
                    + $"{Math.Floor(from * by)}, not to {context}: give a factor of at least {Math.Ceiling((double)context / from)}."
            );
        return (
            model with
            {
                MaxPositionEmbeddings = context,
                RopeScaling = (earlier ?? new RopeScaling { Factor = by }) with
                {
                    Factor = by,
                    OriginalMaxPositionEmbeddings = from,
                    Mscale = temperature,
                    MscaleAllDim = temperature,
                },
            }
        ).Validated();
    }
}
