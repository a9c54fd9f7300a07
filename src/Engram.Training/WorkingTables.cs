using System.Globalization;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Training;

namespace Engram.Training;

/// <summary>
/// The folder <c>tables/</c> of a run that trains its tables in mapped files: per memory layer <c>layer-NN.safetensors</c>, the table; <c>layer-NN.state.safetensors</c>, the optimizer's state of its rows;
/// <c>layer-NN.undo-SSSSSSSS</c>, what rows were at the checkpoint of update S before they changed; and <c>open</c>, the boot of the machine under which the tables may be half-way to the disk.
/// </summary>
/// <param name="folder">Path of the folder.</param>
internal sealed class WorkingTables(string folder)
{
    private const string BootFile = "/proc/sys/kernel/random/boot_id";

    private string OpenFile => Path.Combine(folder, "open");

    /// <summary>Begins without tables.</summary>
    public void Clear()
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Makes the table of a layer, zeros in a sparse file.</summary>
    public EngramTable Create(int layer, long rows, int width)
    {
        Directory.CreateDirectory(folder);
        EngramTable.CreateFile(TableFile(layer), TablePaths.Tensor(layer), rows, width);
        return Open(layer);
    }

    /// <summary>Opens the table of a layer for training.</summary>
    public EngramTable Open(int layer) => EngramTable.MapWritable(TableFile(layer), TablePaths.Tensor(layer));

    /// <summary>File of the state of a layer's rows.</summary>
    public string StateFile(int layer) => Path.Combine(folder, $"layer-{layer:00}.state.safetensors");

    /// <summary>Notes that the tables are being changed and may be on the disk in part.</summary>
    /// <exception cref="InvalidDataException">They were when the machine went down.</exception>
    public void Hold()
    {
        var boot = File.Exists(BootFile) ? File.ReadAllText(BootFile).Trim() : "unknown";
        if (File.Exists(OpenFile) && File.ReadAllText(OpenFile) is var before && before != boot)
            throw new InvalidDataException($"{folder}: the machine was restarted while these tables were being trained, and what had not reached the disk is lost; begin a new run.");
        Directory.CreateDirectory(folder);
        AtomicFile.WriteAllText(OpenFile, boot);
    }

    /// <summary>Notes that everything is on the disk.</summary>
    public void Release() => File.Delete(OpenFile);

    /// <summary>Returns a table and its state to what they were at a checkpoint, the newest journal first; each is removed once it has been put back, so that dying on the way costs nothing.</summary>
    public void Return(int layer, UndoJournal journal, long step)
    {
        foreach (var (path, _) in Journals(layer).Where(found => found.Step >= step).OrderByDescending(found => found.Step))
        {
            journal.Undo(path);
            File.Delete(path);
        }
    }

    /// <summary>Starts the journal of a checkpoint.</summary>
    public void Begin(int layer, UndoJournal journal, long step) => journal.Begin(Path.Combine(folder, $"layer-{layer:00}.undo-{step.ToString("00000000", CultureInfo.InvariantCulture)}"));

    /// <summary>Removes the journals that no checkpoint needs.</summary>
    /// <param name="oldest">Update of the oldest checkpoint kept.</param>
    public void Prune(long oldest)
    {
        foreach (var (path, step) in Journals(null))
            if (step < oldest)
                File.Delete(path);
    }

    /// <summary>Gives the tables a second name in a model folder.</summary>
    public void LinkInto(string model, IEnumerable<int> layers)
    {
        foreach (var layer in layers)
            HardLink.CreateOrCopy(TableFile(layer), Path.Combine(model, TablePaths.Table(layer)));
    }

    private string TableFile(int layer) => Path.Combine(folder, $"layer-{layer:00}.safetensors");

    private IEnumerable<(string Path, long Step)> Journals(int? layer) => Directory.GetFiles(folder, layer is null ? "layer-*.undo-*" : $"layer-{layer:00}.undo-*")
        .Select(path => (path, long.Parse(path[(path.LastIndexOf('-') + 1)..], CultureInfo.InvariantCulture)));
}
