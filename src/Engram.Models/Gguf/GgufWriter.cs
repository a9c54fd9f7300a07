using System.Text;
using Engram.Storage;

namespace Engram.Models.Gguf;

/// <summary>
/// Collects keys and tensors and writes them as one GGUF file, version 3: little-endian, tensors at multiples of 32 bytes.
/// </summary>
internal sealed class GgufWriter
{
    private const uint Version = 3;
    private const int Alignment = 32;

    private readonly List<Action<BinaryWriter>> _keys = [];
    private readonly List<(string Name, GgufType Type, long[] Sizes, long Bytes, Action<Stream> Write)> _tensors = [];

    private enum ValueType : uint
    {
        UInt32 = 4,
        Float32 = 6,
        Bool = 7,
        String = 8,
    }

    public void Add(string key, string value) => Add(key, ValueType.String, writer => Write(writer, value));

    public void Add(string key, int value) => Add(key, ValueType.UInt32, writer => writer.Write(checked((uint)value)));

    public void Add(string key, double value) => Add(key, ValueType.Float32, writer => writer.Write((float)value));

    public void Add(string key, bool value) => Add(key, ValueType.Bool, writer => writer.Write(value));

    /// <summary>Adds a tensor that is produced while the file is written.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Its type.</param>
    /// <param name="sizes">Sizes, innermost first.</param>
    /// <param name="write">Appends its bytes.</param>
    public void Add(string name, GgufType type, long[] sizes, Action<Stream> write) =>
        _tensors.Add((name, type, sizes, type.Bytes(sizes[0]) * sizes.Skip(1).Aggregate(1L, (a, b) => a * b), write));

    /// <summary>Writes the file: a temporary beside it, flushed to disk and renamed.</summary>
    public void Write(string path) =>
        AtomicFile.Write(
            path,
            stream =>
            {
                using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
                writer.Write("GGUF"u8);
                writer.Write(Version);
                writer.Write((ulong)_tensors.Count);
                writer.Write((ulong)_keys.Count);
                foreach (var key in _keys)
                    key(writer);
                var offset = 0L;
                foreach (var (name, type, sizes, bytes, _) in _tensors)
                {
                    Write(writer, name);
                    writer.Write((uint)sizes.Length);
                    foreach (var size in sizes)
                        writer.Write((ulong)size);
                    writer.Write((uint)type);
                    writer.Write((ulong)offset);
                    offset += Padded(bytes);
                }

                writer.Flush();
                Pad(stream);
                foreach (var (name, _, _, bytes, write) in _tensors)
                {
                    var start = stream.Position;
                    write(stream);
                    if (stream.Position - start != bytes)
                        throw new InvalidOperationException(
                            $"{path}: tensor '{name}' needs {bytes} bytes and was given {stream.Position - start}."
                        );
                    Pad(stream);
                }
            }
        );

    private void Add(string key, ValueType type, Action<BinaryWriter> value) =>
        _keys.Add(writer =>
        {
            Write(writer, key);
            writer.Write((uint)type);
            value(writer);
        });

    private static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(Stream stream) => stream.Write(new byte[Padded(stream.Position) - stream.Position]);
}
