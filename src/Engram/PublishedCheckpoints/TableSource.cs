using System.Diagnostics;
using Engram.Addressing;
using Engram.Storage;
using Engram.Tables;

namespace Engram.PublishedCheckpoints;

/// <summary>What a path with tables is.</summary>
public enum TableSourceKind
{
    /// <summary>A safetensors file with a table.</summary>
    File,

    /// <summary>A model folder of this project: <c>engram/addressing.json</c> and <c>engram/layer-NN.safetensors</c>.</summary>
    ModelFolder,

    /// <summary>A folder with a DeepSeek-V4.1 checkpoint.</summary>
    V41Checkpoint,
}

/// <summary>A table of a <see cref="TableSource"/>.</summary>
/// <param name="Layer">0-based index of the block that reads it; null where its name does not say.</param>
/// <param name="File">Path of the file with its values.</param>
/// <param name="TensorName">Name of the tensor of values.</param>
/// <param name="Table">The table, mapped.</param>
/// <param name="OpenTime">How long opening took.</param>
public sealed record SourceTable(int? Layer, string File, string TensorName, EngramTable Table, TimeSpan OpenTime)
{
    /// <summary>
    /// Bytes of the disk that the file with the values occupies; fewer than its length where it has holes, null where it is not known.
    /// </summary>
    public long? OccupiedBytes => FileIdentity.Of(File)?.OccupiedBytes;
}

/// <summary>
/// The tables behind a path, whatever the path is: a table file, a model folder or a V4.1 checkpoint folder. All are mapped, none is read:
/// opening takes milliseconds whatever their size. Rows are compared with the constants of the addresses where there are some. Must be
/// disposed.
/// </summary>
public sealed class TableSource : IDisposable
{
    private TableSource(string path, TableSourceKind kind, IReadOnlyList<SourceTable> tables, AddressingConstants? constants) =>
        (Path, Kind, Tables, Constants) = (path, kind, tables, constants);

    /// <summary>The path given.</summary>
    public string Path { get; }

    /// <summary>What it is.</summary>
    public TableSourceKind Kind { get; }

    /// <summary>At least one table; in a folder ascending by layer.</summary>
    public IReadOnlyList<SourceTable> Tables { get; }

    /// <summary>Hash constants of the folder's memory; null for a file.</summary>
    public AddressingConstants? Constants { get; }

    // Where a run folder has its model.
    private const string ModelSubfolder = "model";

    /// <summary>Opens the tables of a path.</summary>
    /// <param name="path">A safetensors file with one table, a model folder, or a V4.1 checkpoint folder.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder, or a file of the folder is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, holds no table, or contradicts the constants of the addresses.</exception>
    public static TableSource Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            return OpenFile(path);
        if (!Directory.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file or folder.", path);
        if (File.Exists(System.IO.Path.Combine(path, TablePaths.Addressing)))
            return OpenModelFolder(path);
        // A folder around a model folder, as training writes it, may have a configuration too.
        if (File.Exists(System.IO.Path.Combine(path, ModelSubfolder, TablePaths.Addressing)))
            throw new FileNotFoundException(
                $"{path}: the tables are those of the model in it: give {System.IO.Path.Combine(path, ModelSubfolder)}.",
                path
            );
        if (File.Exists(System.IO.Path.Combine(path, "config.json")))
            return OpenCheckpoint(path);
        throw new FileNotFoundException(
            $"{path}: neither a model folder with tables ({TablePaths.Addressing} is missing) nor a V4.1 checkpoint (config.json is "
                + "missing).",
            path
        );
    }

    /// <summary>Ends all mappings.</summary>
    public void Dispose()
    {
        foreach (var table in Tables)
            table.Table.Dispose();
    }

    private static TableSource OpenFile(string path)
    {
        var clock = Stopwatch.StartNew();
        string name;
        using (var file = SafetensorsFile.Open(path))
            name = TableIn(file);
        var table = EngramTable.Map(path, name);
        return new TableSource(
            path,
            TableSourceKind.File,
            [new SourceTable(TablePaths.LayerOf(name), path, name, table, clock.Elapsed)],
            null
        );
    }

    private static TableSource OpenModelFolder(string path)
    {
        var constants = ModelAddressing.Load(System.IO.Path.Combine(path, TablePaths.Addressing)).Constants;
        var tables = new List<SourceTable>();
        try
        {
            foreach (var layer in constants.Layers)
            {
                var clock = Stopwatch.StartNew();
                var (file, name) = (System.IO.Path.Combine(path, TablePaths.Table(layer.Layer)), TablePaths.Tensor(layer.Layer));
                var table = EngramTable.Map(file, name);
                tables.Add(new SourceTable(layer.Layer, file, name, table, clock.Elapsed));
                // The control with one row per head has as many rows as heads.
                if (table.Rows != layer.TotalRows && table.Rows != constants.Spec.Columns)
                    throw new InvalidDataException(
                        $"{file}: the table has {table.Rows} rows, but {TablePaths.Addressing} makes it {layer.TotalRows}."
                    );
            }
            return new TableSource(path, TableSourceKind.ModelFolder, tables, constants);
        }
        catch
        {
            tables.ForEach(table => table.Table.Dispose());
            throw;
        }
    }

    private static TableSource OpenCheckpoint(string path)
    {
        var clock = Stopwatch.StartNew();
        var checkpoint = V41Checkpoint.Open(path);
        var share = clock.Elapsed / checkpoint.Tables.Count;
        var tables = checkpoint.Tables.Select(
            (table, i) =>
                new SourceTable(checkpoint.Configuration.LayerIds[i], checkpoint.Files[i], checkpoint.TensorNames[i], table, share)
        );
        return new TableSource(path, TableSourceKind.V41Checkpoint, [.. tables], checkpoint.Constants);
    }

    // A file of another origin may name its one table as it likes.
    private static string TableIn(SafetensorsFile file)
    {
        string[] named = [.. file.Tensors.Keys.Where(name => name.EndsWith(TablePaths.TensorSuffix, StringComparison.Ordinal))];
        if (named.Length == 0)
        {
            var scales = file.Tensors.Keys.Select(TableFile.ScaleTensor).ToHashSet(StringComparer.Ordinal);
            named =
            [
                .. file
                    .Tensors.Values.Where(tensor => tensor.Shape.Length == 2 && !scales.Contains(tensor.Name))
                    .Select(tensor => tensor.Name),
            ];
        }
        return named.Length == 1
            ? named[0]
            : throw new InvalidDataException(
                $"{file.Path}: {named.Length} tensors might be the table; one is needed, named …{TablePaths.TensorSuffix} or the only one "
                    + "of two dimensions beside its scales."
            );
    }
}
