using Engram.Cli.CommandLine;
using Engram.Corpora.Files;
using Engram.Models.Configuration;

namespace Engram.Cli.Commands;

/// <summary>Where a configuration may come from.</summary>
internal static class ModelSource
{
    /// <summary>Loads a preset by its name, a config.json by its path, or the config.json of a model folder.</summary>
    /// <param name="given">As it was given.</param>
    /// <param name="cancellation">Heard while a pipe is waited for, which is refused.</param>
    public static ModelConfiguration Load(string given, CancellationToken cancellation)
    {
        if (Presets.Names.Contains(given))
            return Presets.Load(given);
        if (Directory.Exists(given))
            return ModelConfiguration.Load(Path.Combine(given, "config.json"));
        InputFile.RequireNoPipe(given, cancellation);
        // What looks like a path is reported as a missing file, anything else as an unknown name.
        return File.Exists(given) || Path.GetFileName(given) != given || Path.HasExtension(given)
            ? ModelConfiguration.Load(given)
            : UsageException.Of(() => Presets.Load(given));
    }
}
