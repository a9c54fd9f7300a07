using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Engram.Storage;

/// <summary>
/// Collects tensors and writes them as one safetensors file. The same tensors give the same bytes in whatever order they are added: element
/// types in the order of the reference implementation (U64 first, BOOL last), then names by code unit, unless <see cref="KeepOrder"/> is
/// set.
/// </summary>
public sealed class SafetensorsWriter
{
    /// <summary>Largest header, in bytes, that the Hugging Face Hub displays; local readers accept four times as much.</summary>
    public const int HubHeaderLimit = 25_000_000;

    private const int ChunkSize = 64 * 1024 * 1024;

    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    private sealed record Entry(TensorInfo Tensor, Action<Stream> Write);

    /// <summary>
    /// The header is padded so that the first tensor begins at a multiple of this, a power of two of at least 8: 4096 keeps rows of a table
    /// within pages when it is mapped.
    /// </summary>
    public int DataAlignment { get; init; } = 8;

    /// <summary>
    /// Writes tensors in the order in which they were added: the first one is the one that <see cref="DataAlignment"/> aligns.
    /// </summary>
    public bool KeepOrder { get; init; }

    /// <summary>
    /// Strings written under <c>__metadata__</c>, sorted by key. Starts with <c>format</c> = <c>pt</c>, which some readers expect.
    /// </summary>
    public IDictionary<string, string> Metadata { get; } =
        new SortedDictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" };

    /// <summary>Adds a tensor and copies its elements.</summary>
    /// <param name="name">Name, unique in the file, at most 1024 characters.</param>
    /// <param name="type">
    /// Element type; <typeparamref name="T"/> is its .NET type, <see cref="ushort"/> for BF16, <see cref="byte"/> for 8-bit floats and
    /// packed types.
    /// </param>
    /// <param name="values">All elements, row-major.</param>
    /// <param name="shape">Sizes, outermost first; none for a scalar.</param>
    /// <exception cref="ArgumentException">
    /// The name is taken or too long, the types differ, or the shape has another number of elements.
    /// </exception>
    public void Add<T>(string name, DType type, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        if (!type.IsStoredAs<T>())
            throw new ArgumentException($"Elements of {type} are not given as {typeof(T).Name}.", nameof(type));
        var bytes = MemoryMarshal.AsBytes(values);
        var tensor = Describe(name, type, shape);
        if (tensor.ByteLength != bytes.Length)
            throw new ArgumentException(
                $"Tensor '{name}' of {TensorInfo.Describe(type, shape)} needs {tensor.ByteLength} bytes and is given {bytes.Length}.",
                nameof(shape)
            );
        var copy = bytes.ToArray();
        Add(tensor, stream => stream.Write(copy));
    }

    /// <summary>Adds a tensor that stays where it is.</summary>
    /// <param name="name">Name, unique in the file, at most 1024 characters.</param>
    /// <param name="type">Element type.</param>
    /// <param name="data">
    /// First element; all elements lie behind it row-major and must remain until <see cref="Write(string)"/> has returned.
    /// </param>
    /// <param name="shape">Sizes, outermost first; none for a scalar.</param>
    /// <exception cref="ArgumentException">The name is taken or too long, or the shape is impossible.</exception>
    public unsafe void Add(string name, DType type, void* data, params ReadOnlySpan<long> shape)
    {
        var tensor = Describe(name, type, shape);
        var start = (byte*)data;
        if (start is null && tensor.ByteLength > 0)
            throw new ArgumentNullException(nameof(data));
        Add(
            tensor,
            stream =>
            {
                for (var done = 0L; done < tensor.ByteLength; done += ChunkSize)
                    stream.Write(new ReadOnlySpan<byte>(start + done, (int)Math.Min(ChunkSize, tensor.ByteLength - done)));
            }
        );
    }

    /// <summary>
    /// Adds a tensor that is produced while the file is written, for content that is converted on the way or does not fit memory.
    /// </summary>
    /// <param name="name">Name, unique in the file, at most 1024 characters.</param>
    /// <param name="type">Element type.</param>
    /// <param name="write">
    /// Appends the tensor's bytes, little-endian and row-major, in pieces of any size; called once per <see cref="Write(string)"/>.
    /// </param>
    /// <param name="shape">Sizes, outermost first; none for a scalar.</param>
    /// <exception cref="ArgumentException">The name is taken or too long, or the shape is impossible.</exception>
    public void Add(string name, DType type, Action<Stream> write, params ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(write);
        Add(Describe(name, type, shape), write);
    }

    /// <summary>Writes the file: a temporary beside it, flushed to disk and renamed.</summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <returns>Length of the header in bytes; compare with <see cref="HubHeaderLimit"/> before publishing.</returns>
    /// <exception cref="InvalidOperationException">
    /// The header would be longer than readers accept, or a tensor was not given exactly its bytes.
    /// </exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public int Write(string path)
    {
        Entry[] ordered = KeepOrder
            ? [.. _entries.Values]
            :
            [
                .. _entries
                    .Values.OrderByDescending(entry => entry.Tensor.DType)
                    .ThenBy(entry => entry.Tensor.Name, StringComparer.Ordinal),
            ];
        var header = Header(ordered.Select(entry => entry.Tensor));
        if (header.Length > SafetensorsHeader.MaxLength)
            throw new InvalidOperationException(
                $"{path}: a header of {header.Length} bytes; readers accept {SafetensorsHeader.MaxLength}."
            );
        AtomicFile.Write(
            path,
            stream =>
            {
                Span<byte> prefix = stackalloc byte[sizeof(ulong)];
                BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
                stream.Write(prefix);
                stream.Write(header);
                foreach (var (tensor, write) in ordered)
                {
                    var start = stream.Position;
                    write(stream);
                    if (stream.Position - start != tensor.ByteLength)
                        throw new InvalidOperationException(
                            $"{path}: tensor '{tensor.Name}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} needs "
                                + $"{tensor.ByteLength} bytes and was given {stream.Position - start}."
                        );
                }
            }
        );
        return header.Length;
    }

    private static TensorInfo Describe(string name, DType type, ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (var size in shape)
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(shape));
        if (!TensorInfo.TryCountBits(type, shape, out var bits) || bits % 8 != 0)
            throw new ArgumentException(
                $"Tensor '{name}' of {TensorInfo.Describe(type, shape)} is no whole number of bytes below 2^60.",
                nameof(shape)
            );
        return new TensorInfo(name, type, shape.ToArray(), 0, bits / 8);
    }

    private void Add(TensorInfo tensor, Action<Stream> write)
    {
        if (tensor.Name == SafetensorsHeader.MetadataKey || tensor.Name.Length > SafetensorsHeader.MaxNameLength)
            throw new ArgumentException(
                $"'{tensor.Name}' cannot name a tensor: the name is reserved or longer than {SafetensorsHeader.MaxNameLength} characters.",
                "name"
            );
        if (!_entries.TryAdd(tensor.Name, new Entry(tensor, write)))
            throw new ArgumentException($"There is a tensor '{tensor.Name}' already.", "name");
    }

    private byte[] Header(IEnumerable<TensorInfo> ordered)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (Metadata.Count > 0)
            {
                json.WriteStartObject(SafetensorsHeader.MetadataKey);
                foreach (var (key, value) in Metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            var begin = 0L;
            foreach (var tensor in ordered)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype"u8, tensor.DType.ToString());
                json.WriteStartArray("shape"u8);
                foreach (var size in tensor.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets"u8);
                json.WriteNumberValue(begin);
                json.WriteNumberValue(begin += tensor.ByteLength);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while ((sizeof(ulong) + buffer.WrittenCount) % DataAlignment != 0)
            buffer.Write(" "u8);
        return buffer.WrittenSpan.ToArray();
    }
}
