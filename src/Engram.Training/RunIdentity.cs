using System.Globalization;
using Engram.Models.Folders;
using Engram.Models.Memory;

namespace Engram.Training;

/// <summary>The identity of a run's weights and tables: what decides about them, and nothing that does not.</summary>
internal static class RunIdentity
{
    /// <summary>A hash of model, recipe, seed, frozen parts, data and, where there is one, the model that the run begins with.</summary>
    public static string Of(TrainingSetup setup)
    {
        var (options, data) = (setup.Options, setup.Corpus.Summary);
        return ModelIdentity.Of(
            setup.Configuration.ToJson(),
            // Where tables live, when a run validates or saves and on how many threads makes no other model of it.
            new TrainingOptions(options) { Seed = options.Seed, Frozen = options.Frozen }.ToJson(),
            data.SourceFingerprint,
            data.TokenizerFingerprint,
            data.ValidationFraction.ToString("R", CultureInfo.InvariantCulture),
            data.Training.Tokens.ToString(CultureInfo.InvariantCulture),
            setup.Init is { } model ? ModelIdentity.ReadOrHash(Path.Combine(model, ModelFolder.WeightsFile)) : ""
        );
    }
}
