using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Training;

namespace Engram.Models.Memory;

/// <content>Training, and checkpoints that survive the death of the process and of the machine.</content>
public sealed partial class ModelTables
{
    private RowOptimizer[] _optimizers = [];

    /// <summary>Starts training: every table gets an optimizer, which is disposed with the tables.</summary>
    /// <param name="kind">What trains the tables.</param>
    /// <param name="moments">How its moments are kept.</param>
    /// <returns>The optimizers, by position among the memory layers.</returns>
    /// <exception cref="InvalidOperationException">Rows are no table's, or the tables are trained already.</exception>
    /// <exception cref="ArgumentException">A table is not float32, or open for reading alone.</exception>
    public IReadOnlyList<RowOptimizer> Train(TableOptimizer kind, MomentFormat moments)
    {
        if (_optimizers.Length > 0)
            throw new InvalidOperationException("These tables are trained already.");
        var optimizers = new List<RowOptimizer>();
        try
        {
            for (var position = 0; position < Count; position++)
                optimizers.Add(RowOptimizer.Create(kind, Table(position), moments, _trained?.StateFile(_layers[position])));
        }
        catch
        {
            optimizers.ForEach(optimizer => optimizer.Dispose());
            throw;
        }

        return _optimizers = [.. optimizers];
    }

    /// <summary>
    /// Returns to a checkpoint: tables that are trained in place are rolled back, the state of the optimizers is read; those in memory were
    /// read from the checkpoint.
    /// </summary>
    /// <param name="folder">Folder of the checkpoint's training state.</param>
    /// <param name="step">Update of the checkpoint.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or belongs to other tables.</exception>
    internal void Restore(string folder, long step)
    {
        ForJournals((layer, journal) => _trained!.RollBack(layer, journal, step));
        for (var position = 0; position < _optimizers.Length; position++)
            _optimizers[position].Load(StateFile(folder, _layers[position]), TablePaths.Tensor(_layers[position]));
        ForJournals((layer, journal) => journal.Begin(_trained!.JournalFile(layer, step)));
    }

    /// <summary>
    /// Writes a checkpoint. Tables in memory are copied into it. Tables that are trained in place stay where they are: what has changed
    /// since the last checkpoint is written to the device, and journals begin that lead back to this moment; so whether this checkpoint or
    /// the one before is the newest is decided by the rename of its folder alone.
    /// </summary>
    /// <param name="model">The checkpoint's model folder, being written.</param>
    /// <param name="training">Its folder of training state.</param>
    /// <param name="step">Update of the checkpoint.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    internal void SaveCheckpoint(string model, string training, long step)
    {
        if (_trained is null)
            SaveInto(model);
        else
            Flush();
        ForJournals((layer, journal) => journal.Begin(_trained!.JournalFile(layer, step)));
        for (var position = 0; position < _optimizers.Length; position++)
            _optimizers[position].Save(StateFile(training, _layers[position]), TablePaths.Tensor(_layers[position]));
    }

    /// <summary>Removes the journals that lead back to checkpoints that are gone.</summary>
    /// <param name="oldest">Update of the oldest checkpoint kept.</param>
    internal void PruneJournals(long oldest) => ForJournals((layer, _) => _trained!.Prune(layer, oldest));

    /// <summary>
    /// Name of the first table with a row that is not finite, or null. Of tables that are trained in place, the rows changed since the last
    /// checkpoint are looked at; of other mapped ones, none.
    /// </summary>
    internal string? FirstNotFinite()
    {
        for (var position = 0; position < Count; position++)
        {
            var row = Store(position).InMemory
                ? _entries[position].Table?.FirstRowNotFinite()
                : _optimizers.ElementAtOrDefault(position)?.Journal?.FirstChangedRowNotFinite();
            if (row is not null)
                return TablePaths.Tensor(_layers[position]);
        }

        return null;
    }

    /// <summary>Copies the tables of a model folder to where they are trained in place; the model's own stay as they are.</summary>
    /// <param name="modelFolder">The model folder.</param>
    /// <param name="weights">Path of its dense weights.</param>
    /// <param name="layers">Its memory layers.</param>
    /// <param name="trainingFolder">A new folder.</param>
    /// <param name="identity">The identity of the copies; null for that of the model.</param>
    /// <exception cref="InvalidDataException">A table is damaged, or of another training than the weights beside it.</exception>
    /// <exception cref="IOException">The device is full, or a file cannot be read or written.</exception>
    internal static void CopyForTraining(
        string modelFolder,
        string weights,
        IReadOnlyList<int> layers,
        string trainingFolder,
        string? identity
    )
    {
        var trained = new TrainingTables(trainingFolder);
        DurableFolder.Create(trainingFolder);
        foreach (var layer in layers)
        {
            var file = Path.Combine(modelFolder, TablePaths.Table(layer));
            using var table = EngramTable.Map(file, TablePaths.Tensor(layer));
            ModelIdentity.Require(weights, ModelIdentity.Read(weights), file, table.Identity);
            table.Identity = identity ?? table.Identity;
            table.Save(trained.TableFile(layer), TablePaths.Tensor(layer));
        }
    }

    /// <summary>Removes tables that were trained in place, and all that belongs to them.</summary>
    internal static void Delete(string trainingFolder)
    {
        if (Directory.Exists(trainingFolder))
            Directory.Delete(trainingFolder, recursive: true);
    }

    private void Flush()
    {
        foreach (var optimizer in _optimizers)
            optimizer.Flush();
        // Those that nobody trains are written once.
        for (var position = _optimizers.Length; position < Count; position++)
            Table(position).Flush();
    }

    private static string StateFile(string folder, int layer) => Path.Combine(folder, $"table-{layer:00}.safetensors");

    private void ForJournals(Action<int, UndoJournal> action)
    {
        for (var position = 0; position < _optimizers.Length; position++)
            if (_optimizers[position].Journal is { } journal)
                action(_layers[position], journal);
    }
}
