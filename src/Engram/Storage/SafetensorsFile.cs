using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;

namespace Engram.Storage;

/// <summary>
/// A safetensors file, memory-mapped and read-only. Opening checks the whole header and reads no tensor. Reading from several threads is
/// safe; disposing while another thread reads is not. Nobody may truncate the file while it is open: writers that replace it by rename
/// (<see cref="AtomicFile"/>) are harmless.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly SafetensorsHeader _header;
    private byte* _start;
    private PageReservations? _reservations;

    private SafetensorsFile(string path, MemoryMappedFile map, long length, long headerLength, bool lenient, bool writable)
    {
        Path = path;
        IsWritable = writable;
        _map = map;
        _view = map.CreateViewAccessor(0, length, writable ? MemoryMappedFileAccess.ReadWrite : MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _start = start + _view.PointerOffset;
        try
        {
            _header = SafetensorsHeader.Parse(new ReadOnlySpan<byte>(_start + sizeof(ulong), (int)headerLength), path, length, lenient);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The path it was opened with.</summary>
    public string Path { get; }

    /// <summary>
    /// Whether tensors may be changed in place; the changes reach the file by and by, at the latest with <see cref="Flush"/>.
    /// </summary>
    internal bool IsWritable { get; }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _header.Tensors;

    /// <summary>The strings under <c>__metadata__</c>; empty if there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">A regular file.</param>
    /// <param name="lenient">
    /// Accepts JSON white space on both sides of the header, as the reference reader does; otherwise it starts with <c>{</c> and ends with
    /// spaces at most.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">Not a valid safetensors file; the message names file, tensor and value.</exception>
    public static SafetensorsFile Open(string path, bool lenient = false) => Open(path, lenient, writable: false);

    /// <summary>
    /// Opens a file whose tensors are changed in place: <see cref="Pointer"/> may be written through. Nobody else may write it meanwhile;
    /// not every system prevents it.
    /// </summary>
    /// <inheritdoc cref="Open(string, bool)"/>
    internal static SafetensorsFile OpenWritable(string path) => Open(path, lenient: false, writable: true);

    private static SafetensorsFile Open(string path, bool lenient, bool writable)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no such file.", path);
        var sharing = writable ? FileShare.Read : FileShare.ReadWrite;
        using var handle = File.OpenHandle(
            path,
            FileMode.Open,
            writable ? FileAccess.ReadWrite : FileAccess.Read,
            sharing | FileShare.Delete
        );
        long length;
        try
        {
            length = RandomAccess.GetLength(handle);
        }
        catch (NotSupportedException e)
        {
            throw new InvalidDataException($"{path}: not a regular file; a pipe or device cannot be mapped.", e);
        }
        if (length < sizeof(ulong))
            throw new InvalidDataException(
                $"{path}: {length} bytes are too few for a safetensors file, which begins with 8 bytes of header length."
            );
        Span<byte> prefix = stackalloc byte[sizeof(ulong)];
        if (RandomAccess.Read(handle, prefix, 0) != prefix.Length)
            throw new InvalidDataException($"{path}: the first 8 bytes cannot be read.");
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > SafetensorsHeader.MaxLength)
            throw new InvalidDataException(
                $"{path}: a header of {headerLength} bytes; {SafetensorsHeader.MaxLength} are allowed. Is this a safetensors file?"
            );
        if ((long)headerLength > length - sizeof(ulong))
            throw new InvalidDataException(
                $"{path}: a header of {headerLength} bytes does not fit the file of {length}: the file is truncated."
            );

        var map = MemoryMappedFile.CreateFromFile(
            handle,
            null,
            0,
            writable ? MemoryMappedFileAccess.ReadWrite : MemoryMappedFileAccess.Read,
            HandleInheritability.None,
            leaveOpen: true
        );
        try
        {
            return new SafetensorsFile(path, map, length, (long)headerLength, lenient, writable);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor and checks what it is.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="type">Element type it must have.</param>
    /// <param name="shape">Shape it must have; −1 stands for any size.</param>
    /// <exception cref="InvalidDataException">The tensor is missing or differs; the message names both sides.</exception>
    public TensorInfo Require(string name, DType type, params ReadOnlySpan<long> shape)
    {
        var tensor = Require(name);
        var fits = tensor.DType == type && tensor.Shape.Length == shape.Length;
        for (var i = 0; fits && i < shape.Length; i++)
            fits = shape[i] == -1 || shape[i] == tensor.Shape[i];
        return fits
            ? tensor
            : throw new InvalidDataException(
                $"{Path}: tensor '{name}' is {TensorInfo.Describe(tensor.DType, tensor.Shape)}; {TensorInfo.Describe(type, shape)} is "
                    + "needed."
            );
    }

    /// <summary>The bytes of a tensor, in place.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <returns>A view that is valid until this file is disposed. Its start is aligned to nothing in particular.</returns>
    /// <exception cref="InvalidDataException">There is no such tensor.</exception>
    /// <exception cref="ArgumentException">
    /// The tensor has 2 GiB or more: use <see cref="Bytes(string, long, int)"/> or <see cref="Pointer"/>.
    /// </exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var tensor = Require(name);
        if (tensor.ByteLength > int.MaxValue)
            throw new ArgumentException(
                $"Tensor '{name}' has {tensor.ByteLength} bytes, more than a span holds: read it in parts.",
                nameof(name)
            );
        return new ReadOnlySpan<byte>(Pointer(name), (int)tensor.ByteLength);
    }

    /// <summary>A part of a tensor of any size, in place.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="offset">First byte, counted from the start of the tensor.</param>
    /// <param name="length">Length in bytes.</param>
    /// <returns>A view that is valid until this file is disposed.</returns>
    /// <exception cref="InvalidDataException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond the tensor.</exception>
    public ReadOnlySpan<byte> Bytes(string name, long offset, int length)
    {
        var tensor = Require(name);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, tensor.ByteLength - length);
        return new ReadOnlySpan<byte>(Pointer(name) + offset, length);
    }

    /// <summary>
    /// First byte of a tensor, in place: <see cref="TensorInfo.ByteLength"/> bytes may be read until this file is disposed.
    /// </summary>
    /// <param name="name">Name of the tensor.</param>
    /// <exception cref="InvalidDataException">There is no such tensor.</exception>
    public byte* Pointer(string name)
    {
        var tensor = Require(name);
        ObjectDisposedException.ThrowIf(_start is null, this);
        return _start + tensor.Offset;
    }

    /// <summary>
    /// Copies a tensor whose elements .NET has a type for; BF16 is read as <see cref="ushort"/>, 8-bit floats and packed types as <see
    /// cref="byte"/>.
    /// </summary>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="destination">Receives all elements, row-major; as long as the tensor.</param>
    /// <param name="shape">Shape the tensor must have, −1 for any size; not checked if empty.</param>
    /// <exception cref="InvalidDataException">
    /// The tensor is missing, of another type or shape, or not as long as <paramref name="destination"/>.
    /// </exception>
    public void CopyTo<T>(string name, Span<T> destination, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        var tensor = Require(name);
        if (!tensor.DType.IsStoredAs<T>())
            throw new InvalidDataException($"{Path}: tensor '{name}' is {tensor.DType}, which cannot be read as {typeof(T).Name}.");
        if (!shape.IsEmpty)
            Require(name, tensor.DType, shape);
        if (tensor.ByteLength != (long)destination.Length * sizeof(T))
            throw new InvalidDataException(
                $"{Path}: tensor '{name}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} has {tensor.ByteLength} bytes; "
                    + $"{(long)destination.Length * sizeof(T)} are needed."
            );
        fixed (T* target = destination)
            Buffer.MemoryCopy(Pointer(name), target, tensor.ByteLength, tensor.ByteLength);
    }

    /// <summary>Writes changes in place to the device and waits for it.</summary>
    /// <exception cref="IOException">The device cannot take them.</exception>
    internal void Flush()
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        _view.Flush();
    }

    /// <summary>
    /// Makes sure that bytes of a writable file can be stored through the mapping: on a full device a store into a hole of a sparse file
    /// would end the process.
    /// </summary>
    /// <exception cref="IOException">The device is full; nothing has been changed.</exception>
    internal void Reserve(void* address, long bytes)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        _reservations ??= new PageReservations(Path, _start, (long)_view.Capacity);
        _reservations.Reserve(address, bytes);
    }

    /// <summary>Ends the mapping. Views and pointers handed out must not be used any more.</summary>
    public void Dispose()
    {
        if (_start is null)
            return;
        _start = null;
        _reservations?.Dispose();
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }

    private TensorInfo Require(string name) =>
        Tensors.TryGetValue(name, out var tensor) ? tensor : throw new InvalidDataException($"{Path}: there is no tensor '{name}'.");
}
