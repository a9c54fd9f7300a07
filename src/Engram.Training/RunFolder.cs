using System.Globalization;
using Engram.Models.Folders;
using Engram.Storage;

namespace Engram.Training;

/// <summary>
/// The folder of one training run: <c>train.json</c> (options), <c>config.json</c>, <c>metrics.jsonl</c>, <c>tensorboard/</c>,
/// <c>checkpoints/NNNNNNNN/</c>, <c>model/</c> and <c>result.json</c> when finished. One process at a time holds it.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    private readonly FileStream _lock;

    private RunFolder(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    public string OptionsFile => System.IO.Path.Combine(Path, "train.json");

    public string ConfigurationFile => System.IO.Path.Combine(Path, ModelFolder.ConfigurationFile);

    public string ResultFile => System.IO.Path.Combine(Path, TrainingResult.FileName);

    public string Model => System.IO.Path.Combine(Path, "model");

    private string Checkpoints => System.IO.Path.Combine(Path, "checkpoints");

    /// <summary>Takes hold of a run folder, creating it if needed.</summary>
    /// <exception cref="IOException">Another process holds it, or it cannot be written.</exception>
    public static RunFolder Open(string path)
    {
        Directory.CreateDirectory(path);
        var file = System.IO.Path.Combine(path, "run.lock");
        try
        {
            return new RunFolder(path, new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e)
        {
            throw new IOException($"The run folder {path} is in use by another process ({e.Message}).", e);
        }
    }

    /// <summary>Whether a run was begun here.</summary>
    public bool Begun => File.Exists(OptionsFile);

    /// <summary>Folder of the checkpoint after an update.</summary>
    public string Checkpoint(long step) => System.IO.Path.Combine(Checkpoints, step.ToString("00000000", CultureInfo.InvariantCulture));

    /// <summary>Updates that complete checkpoints exist for, ascending. Folders are renamed into place when complete, so partial ones never count.</summary>
    public IReadOnlyList<long> CheckpointSteps() => !Directory.Exists(Checkpoints) ? [] :
    [
        .. Directory.GetDirectories(Checkpoints).Select(System.IO.Path.GetFileName)
            .Where(name => name is { Length: 8 } && name.All(char.IsAsciiDigit)).Select(name => long.Parse(name!, CultureInfo.InvariantCulture)).Order(),
    ];

    /// <summary>Removes all but the newest checkpoints, and what crashed writes left behind.</summary>
    public void Prune(int keep)
    {
        foreach (var step in CheckpointSteps().SkipLast(keep))
            Directory.Delete(Checkpoint(step), recursive: true);
        if (!Directory.Exists(Checkpoints))
            return;
        foreach (var folder in Directory.GetDirectories(Checkpoints).Where(f => f.EndsWith(".tmp", StringComparison.Ordinal) || f.EndsWith(".old", StringComparison.Ordinal)))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Records what the run is.</summary>
    public void Begin(string options, Engram.Models.Configuration.ModelConfiguration configuration)
    {
        Directory.CreateDirectory(Checkpoints);
        configuration.Save(ConfigurationFile);
        AtomicFile.WriteAllText(OptionsFile, options);
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();
}
