using System.Text.Json;
using System.Text.Unicode;

namespace Engram.Storage;

// Layout of a file: u64 little-endian N | N bytes of JSON, UTF-8, padded on the right with spaces | tensor bytes without hole or overlap
// JSON: { "__metadata__": { string: string, … }, NAME: { "dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end] }, … } begin and end
// count from the first byte after the JSON.

/// <summary>
/// The JSON of a safetensors file, checked completely: whatever this returns, every tensor lies inside the file and has the bytes its shape
/// needs.
/// </summary>
internal sealed class SafetensorsHeader
{
    public const long MaxLength = 100_000_000;
    public const int MaxNameLength = 1024;
    public const string MetadataKey = "__metadata__";
    private const int MaxDepth = 8;

    private readonly string _file;
    private readonly long _dataStart;
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
    private Dictionary<string, string>? _metadata;
    private readonly List<long> _numbers = [];

    private SafetensorsHeader(string file, long dataStart)
    {
        _file = file;
        _dataStart = dataStart;
    }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public IReadOnlyDictionary<string, string> Metadata => _metadata ??= [];

    /// <summary>Parses the JSON of a file.</summary>
    /// <param name="json">Exactly the N bytes of the header.</param>
    /// <param name="file">Name for messages.</param>
    /// <param name="fileLength">Length of the whole file in bytes.</param>
    /// <param name="lenient">
    /// Accepts JSON white space on both sides of the object, as the reference reader does, instead of spaces on the right alone.
    /// </param>
    /// <exception cref="InvalidDataException">Any rule of the format is broken; the message names file, tensor and value.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, string file, long fileLength, bool lenient)
    {
        var dataStart = sizeof(ulong) + (long)json.Length;
        var header = new SafetensorsHeader(file, dataStart);
        if (!Utf8.IsValid(json))
            throw header.Invalid("the header is not UTF-8.");
        if (!lenient && (json.IsEmpty || json[0] != '{'))
            throw header.Invalid("the header does not start with '{'.");
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
            header.ReadRoot(ref reader);
            if (!lenient && json[(int)reader.BytesConsumed..].ContainsAnyExcept((byte)' '))
                throw header.Invalid("the header is followed by something else than spaces.");
            // Reads past trailing white space and refuses anything else.
            reader.Read();
        }
        // The reader throws the second for text that is JSON by its grammar but no string, such as half a surrogate pair.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw header.Invalid($"the header is not JSON of the expected form ({e.Message})", e);
        }
        header.CheckLayout(fileLength - dataStart);
        return header;
    }

    private void ReadRoot(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Invalid("the header is not a JSON object.");
        while (NextProperty(ref reader, out var name))
        {
            if (name.Length > MaxNameLength)
                throw Invalid($"a name of {name.Length} characters; {MaxNameLength} are allowed.");
            if (name == MetadataKey)
                ReadMetadata(ref reader);
            else if (!_tensors.TryAdd(name, ReadTensor(ref reader, name)))
                throw Invalid($"tensor '{name}' is listed twice.");
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (_metadata is not null)
            throw Invalid($"'{MetadataKey}' is listed twice.");
        _metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Invalid($"'{MetadataKey}' is not an object.");
        while (NextProperty(ref reader, out var key))
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Invalid($"'{MetadataKey}' value '{key}' is not a string.");
            if (!_metadata.TryAdd(key, reader.GetString()!))
                throw Invalid($"'{MetadataKey}' key '{key}' is listed twice.");
        }
    }

    private TensorInfo ReadTensor(ref Utf8JsonReader reader, string name)
    {
        DType? type = null;
        long[]? shape = null,
            offsets = null;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Invalid($"tensor '{name}' is not an object.");
        while (NextProperty(ref reader, out var field))
        {
            var repeated = field switch
            {
                "dtype" => type is not null,
                "shape" => shape is not null,
                "data_offsets" => offsets is not null,
                _ => false,
            };
            if (repeated)
                throw Invalid($"tensor '{name}' has two fields '{field}'.");
            switch (field)
            {
                case "dtype":
                    type = ReadType(ref reader, name);
                    break;
                case "shape":
                    shape = ReadNumbers(ref reader, name, field);
                    break;
                case "data_offsets":
                    offsets = ReadNumbers(ref reader, name, field);
                    break;
                default:
                    throw Invalid($"tensor '{name}' has an unknown field '{field}'.");
            }
        }
        if (type is null || shape is null || offsets is null)
            throw Invalid($"tensor '{name}' lacks {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}.");
        if (offsets.Length != 2)
            throw Invalid($"tensor '{name}' has {offsets.Length} data_offsets instead of 2.");
        if (offsets[0] > offsets[1])
            throw Invalid($"tensor '{name}' begins at {offsets[0]} and ends before, at {offsets[1]}.");
        return new TensorInfo(name, type.Value, shape, offsets[0], offsets[1] - offsets[0]);
    }

    private DType ReadType(ref Utf8JsonReader reader, string tensor)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
            throw Invalid($"tensor '{tensor}' has a dtype that is not a string.");
        var text = reader.GetString()!;
        return DTypes.TryParse(text, out var type) ? type : throw Invalid($"tensor '{tensor}' has the unknown dtype '{text}'.");
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string tensor, string field)
    {
        _numbers.Clear();
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Invalid($"tensor '{tensor}' has a {field} that is not an array.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var value) || value < 0)
                throw Invalid($"tensor '{tensor}' has a {field} with something else than whole numbers from 0 to {long.MaxValue}.");
            _numbers.Add(value);
        }
        return [.. _numbers];
    }

    private static bool NextProperty(ref Utf8JsonReader reader, out string name)
    {
        reader.Read();
        var more = reader.TokenType == JsonTokenType.PropertyName;
        name = more ? reader.GetString()! : "";
        return more;
    }

    /// <summary>
    /// Tensors follow each other without hole or overlap, have the bytes their shapes need, and fill the buffer. Turns offsets into
    /// positions in the file.
    /// </summary>
    private void CheckLayout(long bufferLength)
    {
        var ordered = _tensors.Values.ToArray();
        Array.Sort(ordered, (a, b) => (a.Offset, a.ByteLength).CompareTo((b.Offset, b.ByteLength)));
        var end = 0L;
        foreach (var tensor in ordered)
        {
            if (tensor.Offset != end)
                throw Invalid(
                    $"tensor '{tensor.Name}' begins at {tensor.Offset} where {end} is expected: "
                        + $"{(tensor.Offset > end ? "a hole" : "an overlap")} in the buffer."
                );
            if (!TensorInfo.TryCountBits(tensor.DType, tensor.Shape, out var bits))
                throw Invalid(
                    $"tensor '{tensor.Name}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} has more bits than 63-bit arithmetic "
                        + "counts."
                );
            if (bits % 8 != 0)
                throw Invalid(
                    $"tensor '{tensor.Name}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} has {bits} bits, no whole number of "
                        + "bytes."
                );
            if (bits / 8 != tensor.ByteLength)
                throw Invalid(
                    $"tensor '{tensor.Name}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} needs {bits / 8} bytes and has "
                        + $"{tensor.ByteLength}."
                );
            end += tensor.ByteLength;
            if (end > bufferLength)
                throw Invalid($"tensor '{tensor.Name}' ends at {end}, the buffer at {bufferLength}: the file is truncated.");
            _tensors[tensor.Name] = tensor with { Offset = _dataStart + tensor.Offset };
        }
        if (end != bufferLength)
            throw Invalid($"{bufferLength - end} bytes follow the last tensor.");
    }

    // A hostile header may be quoted at its full length.
    private InvalidDataException Invalid(string what, Exception? inner = null) =>
        new($"{_file}: {(what.Length <= MaxNameLength + 200 ? what : $"{what.AsSpan(0, MaxNameLength + 200)}…")}", inner);
}
