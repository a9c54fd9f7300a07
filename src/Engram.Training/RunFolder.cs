using System.Globalization;
using System.Text.Json.Nodes;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Storage;

namespace Engram.Training;

/// <summary>
/// The folder of one training run: <c>train.json</c> (options), <c>config.json</c>, <c>data.json</c> (the summary of the prepared data),
/// <c>metrics.jsonl</c>, <c>tensorboard/</c>, <c>checkpoints/NNNNNNNN/</c>, <c>tables/</c> (mapped tables, while they are trained),
/// <c>model/</c> and <c>result.json</c> when finished. One process at a time has it locked. What it records survives a crash of the
/// machine.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    private const string OptionsName = "train.json";

    private readonly FileStream _lock;

    private RunFolder(string path, FileStream locked) => (Path, _lock) = (path, locked);

    public string Path { get; }

    public string ResultFile => System.IO.Path.Combine(Path, TrainingResult.FileName);

    public string Model => System.IO.Path.Combine(Path, "model");

    public string Tables => System.IO.Path.Combine(Path, "tables");

    private string OptionsFile => System.IO.Path.Combine(Path, OptionsName);

    private string DataFile => System.IO.Path.Combine(Path, CorpusSummary.FileName);

    private string ConfigurationFile => System.IO.Path.Combine(Path, ModelFolder.ConfigurationFile);

    private string Checkpoints => CheckpointsOf(Path);

    private static string CheckpointsOf(string run) => System.IO.Path.Combine(run, "checkpoints");

    /// <summary>Opens and locks a run folder, creating it if needed.</summary>
    /// <exception cref="IOException">Another process has it locked, or it cannot be written.</exception>
    public static RunFolder Open(string path)
    {
        DurableFolder.Create(path);
        var file = System.IO.Path.Combine(path, "run.lock");
        // Whatever has been a run's folder has a lock.
        if (
            !File.Exists(file)
            && !File.Exists(System.IO.Path.Combine(path, OptionsName))
            && Directory.EnumerateFileSystemEntries(path).Select(System.IO.Path.GetFileName).FirstOrDefault() is { } foreign
        )
            throw new IOException($"{path} holds something else than a run ({foreign}): choose a new folder for the run, or an empty one.");
        try
        {
            var folder = new RunFolder(path, new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            folder.RemoveLeftovers();
            return folder;
        }
        catch (IOException e) when (e.GetType() == typeof(IOException))
        {
            throw new IOException($"The run folder {path} cannot be locked; is another process training there? {e.Message}", e);
        }
    }

    /// <summary>Whether a run was begun here.</summary>
    public bool Begun => File.Exists(OptionsFile);

    /// <summary>The options a run began with.</summary>
    /// <exception cref="InvalidDataException">Their file is damaged.</exception>
    public TrainingOptions Options => TrainingOptions.FromJson(File.ReadAllText(OptionsFile), OptionsFile);

    /// <summary>Folder of the checkpoint after an update.</summary>
    public string Checkpoint(long step) => System.IO.Path.Combine(Checkpoints, step.ToString("00000000", CultureInfo.InvariantCulture));

    /// <summary>
    /// Updates that complete checkpoints exist for, ascending. Folders are renamed into place when complete, so partial ones never count.
    /// </summary>
    public IReadOnlyList<long> CheckpointSteps() => CheckpointSteps(Path);

    /// <summary>The same of a folder that somebody else may have locked.</summary>
    public static IReadOnlyList<long> CheckpointSteps(string run) =>
        !Directory.Exists(CheckpointsOf(run))
            ? []
            :
            [
                .. Directory
                    .GetDirectories(CheckpointsOf(run))
                    .Select(System.IO.Path.GetFileName)
                    .Where(name => name is { Length: >= 8 } && name.All(char.IsAsciiDigit))
                    .Select(name => long.Parse(name!, CultureInfo.InvariantCulture))
                    .Order(),
            ];

    /// <summary>Removes all but the newest checkpoints, and their folder where none is left in it.</summary>
    public void Prune(int keep)
    {
        foreach (var step in CheckpointSteps().SkipLast(keep))
            Directory.Delete(Checkpoint(step), recursive: true);
        if (keep == 0 && Directory.Exists(Checkpoints) && !Directory.EnumerateFileSystemEntries(Checkpoints).Any())
            Directory.Delete(Checkpoints);
    }

    /// <summary>Records what the run is.</summary>
    public void Begin(ModelConfiguration configuration, TrainingOptions options)
    {
        DurableFolder.Create(Checkpoints);
        configuration.Save(ConfigurationFile);
        // Last: a run has begun when its options are there.
        AtomicFile.WriteAllText(OptionsFile, options.ToJson());
    }

    /// <summary>Takes a checkpoint out of those that count, and leaves its files for whoever wants to look.</summary>
    public void SetAside(long step)
    {
        var aside = Checkpoint(step) + ".damaged";
        if (Directory.Exists(aside))
            Directory.Delete(aside, recursive: true);
        Directory.Move(Checkpoint(step), aside);
    }

    /// <summary>
    /// Records that the run has more updates than it began with. One that had finished has not any more: a checkpoint must hold its weights
    /// by now.
    /// </summary>
    public void Lengthen(long updates)
    {
        if (Options is var before && before.Steps < updates)
            AtomicFile.WriteAllText(OptionsFile, (before with { Steps = updates }).ToJson());
        File.Delete(ResultFile);
    }

    /// <summary>Records what the run is trained on, unless that was done before.</summary>
    public void Record(PreparedCorpus corpus)
    {
        if (!File.Exists(DataFile))
            AtomicFile.WriteAllBytes(DataFile, File.ReadAllBytes(System.IO.Path.Combine(corpus.Folder, CorpusSummary.FileName)));
    }

    /// <summary>Makes sure that a run continues as what it began, on however many threads, and with no fewer updates.</summary>
    /// <exception cref="InvalidDataException">Options or configuration differ; the message names both sides.</exception>
    public void RequireSame(ModelConfiguration configuration, TrainingOptions options)
    {
        var before = Options;
        if (options.Steps < before.Steps)
            throw new InvalidDataException(
                $"{Path} is a run of {before.Steps} updates ({OptionsName}) and cannot be shortened to {options.Steps}; give at least "
                    + $"{before.Steps}."
            );
        Same(
            OptionsFile,
            "options",
            (before with { Threads = null }).ToJson(),
            (options with { Threads = null, Steps = before.Steps }).ToJson()
        );
        Same(ConfigurationFile, "configuration", ModelConfiguration.Load(ConfigurationFile).ToJson(), configuration.ToJson());
    }

    /// <summary>Makes sure that a run continues with the data it began with.</summary>
    /// <exception cref="InvalidDataException">They are others; the message names both sides.</exception>
    public void RequireSame(PreparedCorpus corpus)
    {
        if (!File.Exists(DataFile))
            return;
        var (began, given) = (CorpusSummary.Read(Path), corpus.Summary);
        if (!began.IsSameDataAs(given))
            throw new InvalidDataException(
                $"{Path} was begun with data prepared from '{began.Source}' ({began.Training.Tokens} training and "
                    + $"{began.Validation.Tokens} validation tokens), but {corpus.Folder} "
                    + $"holds other data, from '{given.Source}' ({given.Training.Tokens} and {given.Validation.Tokens}). A run is resumed "
                    + "with the data it began with."
            );
    }

    private static void Same(string file, string what, string began, string given)
    {
        if (began == given)
            return;
        var (left, right) = (JsonNode.Parse(began)!.AsObject(), JsonNode.Parse(given)!.AsObject());
        var differences = left.Select(entry => entry.Key)
            .Union(right.Select(entry => entry.Key))
            .Where(key => !JsonNode.DeepEquals(left[key], right[key]))
            .Select(key => $"{key} {left[key]?.ToJsonString() ?? "null"} is now {right[key]?.ToJsonString() ?? "null"}");
        throw new InvalidDataException(
            $"{file} differs from the {what} given: {string.Join(", ", differences)}. A run is resumed with the {what} it began " + "with."
        );
    }

    /// <summary>What crashed writes left behind; nobody else writes while the folder is locked.</summary>
    private void RemoveLeftovers()
    {
        FolderReplacement.RemoveLeftovers(Path, "model");
        if (Directory.Exists(Checkpoints))
            FolderReplacement.RemoveLeftovers(Checkpoints, "*");
        if (File.Exists(ResultFile))
        {
            Prune(keep: 0);
            ModelTables.Delete(Tables);
        }
        foreach (
            var file in (string[])[OptionsFile, ConfigurationFile, DataFile, ResultFile, System.IO.Path.Combine(Path, MetricsLog.FileName)]
        )
        foreach (var left in Directory.GetFiles(Path, System.IO.Path.GetFileName(file) + ".*.tmp"))
            File.Delete(left);
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();
}
