using System.Globalization;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Training;

namespace Engram.Models.Memory;

/// <summary>
/// A folder of tables that are trained where they lie: per memory layer <c>layer-NN.safetensors</c>, the table;
/// <c>layer-NN.state.safetensors</c>, the optimizer's state of its rows; <c>layer-NN.undo-SSSSSSSS</c>, what rows were at the checkpoint of
/// update S before they changed. Whatever the order in which the system brings it to the device, the tables can be returned to a
/// checkpoint.
/// </summary>
/// <param name="folder">Path of the folder.</param>
internal sealed class TrainingTables(string folder)
{
    /// <summary>Makes the table of a layer, zeros in a sparse file.</summary>
    public EngramTable Create(int layer, long rows, int width, string? identity)
    {
        DurableFolder.Create(folder);
        EngramTable.CreateFile(TableFile(layer), TablePaths.Tensor(layer), rows, width, identity);
        return Open(layer);
    }

    /// <summary>Opens the table of a layer for training.</summary>
    public EngramTable Open(int layer) => EngramTable.MapWritable(TableFile(layer), TablePaths.Tensor(layer));

    /// <summary>File of the table of a layer.</summary>
    public string TableFile(int layer) => Path.Combine(folder, $"layer-{layer:00}.safetensors");

    /// <summary>File of the state of a layer's rows.</summary>
    public string StateFile(int layer) => Path.Combine(folder, $"layer-{layer:00}.state.safetensors");

    /// <summary>File of the journal of a layer that a checkpoint begins.</summary>
    public string JournalFile(int layer, long step) =>
        Path.Combine(folder, $"layer-{layer:00}.undo-{step.ToString("00000000", CultureInfo.InvariantCulture)}");

    /// <summary>
    /// Rolls a table and its state back to a checkpoint, the newest journal first; each is removed for good once it has been undone, so
    /// that dying on the way costs nothing.
    /// </summary>
    public void RollBack(int layer, UndoJournal journal, long step)
    {
        foreach (var (path, _) in Journals(layer).Where(found => found.Step >= step).OrderByDescending(found => found.Step))
        {
            journal.Undo(path);
            DurableFolder.DeleteFile(path);
        }
    }

    /// <summary>Removes the journals that no checkpoint needs.</summary>
    /// <param name="layer">0-based block index.</param>
    /// <param name="oldest">Update of the oldest checkpoint kept.</param>
    public void Prune(int layer, long oldest)
    {
        foreach (var (path, step) in Journals(layer))
            if (step < oldest)
                File.Delete(path);
    }

    private IEnumerable<(string Path, long Step)> Journals(int layer) =>
        Directory
            .GetFiles(folder, $"layer-{layer:00}.undo-*")
            .Select(path => (path, long.Parse(path[(path.LastIndexOf('-') + 1)..], CultureInfo.InvariantCulture)));
}
