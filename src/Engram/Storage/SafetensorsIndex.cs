using System.Text.Json;

namespace Engram.Storage;

/// <summary>
/// The tensors of a folder: which of its safetensors files holds each. Read from <c>model.safetensors.index.json</c> where tensors are
/// divided among shards, otherwise from the header of <c>model.safetensors</c>. Opens no shard that is not asked for.
/// </summary>
internal sealed class SafetensorsIndex
{
    public const string FileName = "model.safetensors.index.json";
    public const string SingleFileName = "model.safetensors";
    private const string Extension = ".safetensors";

    // A hundred times what a model of tens of thousands of tensors needs.
    private const long MaxLength = 64 << 20;
    private const int MaxDepth = 8;
    private const int MaxQuoted = 200;

    private readonly string _folder;
    private readonly string _source;
    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

    private SafetensorsIndex(string folder, string source) => (_folder, _source) = (folder, source);

    /// <summary>Names of all tensors.</summary>
    public IReadOnlyCollection<string> Tensors => _files.Keys;

    /// <summary>Reads the index of a folder.</summary>
    /// <exception cref="FileNotFoundException">
    /// The folder has neither an index nor a single file, or a file that the index names is missing.
    /// </exception>
    /// <exception cref="InvalidDataException">The index is damaged, contradicts itself, or names files elsewhere.</exception>
    public static SafetensorsIndex Open(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (File.Exists(path))
        {
            var index = new SafetensorsIndex(folder, path);
            index.Read();
            index.RequireFiles();
            return index;
        }
        var single = Path.Combine(folder, SingleFileName);
        if (!File.Exists(single))
            throw new FileNotFoundException($"{folder}: there is neither {FileName} nor {SingleFileName}.", path);
        var own = new SafetensorsIndex(folder, single);
        using var file = SafetensorsFile.Open(single);
        foreach (var tensor in file.Tensors.Keys)
            own._files.Add(tensor, SingleFileName);
        return own;
    }

    /// <summary>Whether a tensor is listed.</summary>
    public bool Contains(string tensor) => _files.ContainsKey(tensor);

    /// <summary>The file that holds a tensor.</summary>
    /// <exception cref="InvalidDataException">No such tensor is listed.</exception>
    public string PathOf(string tensor) =>
        _files.TryGetValue(tensor, out var file)
            ? Path.Combine(_folder, file)
            : throw new InvalidDataException($"{_source}: there is no tensor '{tensor}'.");

    /// <summary>Opens the file that holds a tensor and checks that it has all tensors that are listed for it.</summary>
    /// <exception cref="InvalidDataException">No such tensor is listed, or the file is damaged or lacks a listed tensor.</exception>
    public SafetensorsFile OpenFileOf(string tensor)
    {
        var path = PathOf(tensor);
        var file = SafetensorsFile.Open(path);
        var missing = _files.FirstOrDefault(listed => listed.Value == _files[tensor] && !file.Tensors.ContainsKey(listed.Key)).Key;
        if (missing is null)
            return file;
        file.Dispose();
        throw new InvalidDataException($"{path}: tensor '{Quoted(missing)}' is missing, which {_source} says is here.");
    }

    private void Read()
    {
        var length = new FileInfo(_source).Length;
        if (length > MaxLength)
            throw Invalid($"an index of {length} bytes; {MaxLength} are allowed.");
        var json = File.ReadAllBytes(_source);
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            var keys = new HashSet<string>(StringComparer.Ordinal);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw Invalid("the index is not a JSON object.");
            while (NextProperty(ref reader, out var key))
            {
                if (!keys.Add(key))
                    throw Invalid($"'{Quoted(key)}' is listed twice.");
                reader.Read();
                if (key == "weight_map")
                    ReadFiles(ref reader);
                else
                    reader.Skip();
            }
            reader.Read(); // refuses anything behind the object
            if (!keys.Contains("weight_map"))
                throw Invalid("there is no 'weight_map'.");
        }
        // The reader throws the second for text that is JSON by its grammar but no string, such as half a surrogate pair.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{_source}: the index is not JSON of the expected form ({e.Message})", e);
        }
    }

    private void ReadFiles(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Invalid("'weight_map' is not an object.");
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        while (NextProperty(ref reader, out var tensor))
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Invalid($"the file of tensor '{Quoted(tensor)}' is not a string.");
            var file = reader.GetString()!;
            if (!names.TryGetValue(file, out var known))
            {
                if (!IsPlainName(file))
                    throw Invalid(
                        $"tensor '{Quoted(tensor)}' is said to be in '{Quoted(file)}'; only a *{Extension} file of the same folder is "
                            + "possible."
                    );
                names.Add(file, known = file);
            }
            if (!_files.TryAdd(tensor, known))
                throw Invalid($"tensor '{Quoted(tensor)}' is listed twice.");
        }
    }

    private void RequireFiles()
    {
        foreach (var file in _files.Values.Distinct())
            if (!File.Exists(Path.Combine(_folder, file)))
                throw new FileNotFoundException($"{Path.Combine(_folder, file)}: there is no such file, but {_source} names it.", file);
    }

    // Separators of every system count everywhere, so that a folder means the same wherever it is opened.
    private static bool IsPlainName(string file) =>
        file.Length is > 0 and <= 255
        && file.EndsWith(Extension, StringComparison.Ordinal)
        && !file.AsSpan().ContainsAny('/', '\\', ':')
        && !file.Any(char.IsControl);

    private static bool NextProperty(ref Utf8JsonReader reader, out string name)
    {
        reader.Read();
        var more = reader.TokenType == JsonTokenType.PropertyName;
        name = more ? reader.GetString()! : "";
        return more;
    }

    private static string Quoted(string text) => text.Length <= MaxQuoted ? text : $"{text.AsSpan(0, MaxQuoted)}…";

    private InvalidDataException Invalid(string what) => new($"{_source}: {what}");
}
