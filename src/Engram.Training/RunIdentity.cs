using System.Globalization;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Tables.Training;

namespace Engram.Training;

/// <summary>The identity of a run's weights and tables: what decides about them, and nothing that does not.</summary>
internal static class RunIdentity
{
    /// <summary>A hash of model, recipe, seed, frozen parts, data and, where there is one, the model that the run begins with.</summary>
    public static string Of(TrainingSetup setup)
    {
        var (options, data) = (setup.Options, setup.Corpus.Summary);
        // Where tables live, when a run validates or saves and on how many threads makes no other model of it; nor does it whether Adam
        // catches up with the rows of a table later.
        var decisive = new TrainingOptions(options)
        {
            Seed = options.Seed,
            Frozen = options.Frozen,
            TableOptimizer = options.TableOptimizer == TableOptimizer.DeferredAdam ? TableOptimizer.DenseAdam : options.TableOptimizer,
        };
        return ModelIdentity.Of(
            setup.Configuration.ToJson(),
            decisive.ToJson(),
            data.SourceFingerprint,
            data.TokenizerFingerprint,
            data.ValidationFraction.ToString("R", CultureInfo.InvariantCulture),
            data.Training.Tokens.ToString(CultureInfo.InvariantCulture),
            setup.Init is { } model ? ModelIdentity.ReadOrHash(Path.Combine(model, ModelFolder.WeightsFile)) : ""
        );
    }
}
