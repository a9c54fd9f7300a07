using System.Numerics.Tensors;
using Engram.Inference.Kernels;
using Engram.Models.Folders;
using Engram.Storage;

namespace Engram.Inference.Weights;

/// <summary>
/// The dense weights of a model folder, in any <see cref="MatrixFormat"/>, mapped: matrices are multiplied where they lie in the file,
/// small vectors are copied. Every tensor that is asked for is read once, so that a value that is not finite is found here and not in a
/// text.
/// </summary>
internal sealed unsafe class ModelWeights : IDisposable
{
    private const int PieceLength = 1 << 24;

    private readonly SafetensorsFile _file;
    private readonly HashSet<string> _unasked;
    private readonly List<FloatBuffer> _copies = [];

    private ModelWeights(SafetensorsFile file) => (_file, _unasked) = (file, [.. file.Tensors.Keys]);

    /// <summary>Opens a file of weights.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no valid safetensors file.</exception>
    public static ModelWeights Open(string path) => new(SafetensorsFile.Open(path));

    /// <summary>A matrix in place.</summary>
    /// <exception cref="InvalidDataException">It is missing, has another shape or type, or holds a value that is not finite.</exception>
    public Matrix Matrix(string name, int rows, int columns)
    {
        var stored = _file.Tensors.TryGetValue(name, out var found) ? found.DType : DType.F32;
        if (stored is not (DType.I8 or DType.U8))
            return new Matrix((nint)_file.Pointer(name), rows, columns, Require(name, rows, columns));
        if (stored == DType.U8 && columns % 2 != 0)
            throw new InvalidDataException(
                $"{_file.Path}: tensor '{name}' is U8, int4, but its rows have {columns} values, an odd number."
            );
        var scales = MatrixFormat.ScaleTensor(name);
        _file.Require(name, stored, rows, stored == DType.I8 ? columns : columns / 2);
        var scaleFormat = Require(scales, rows, MatrixFormat.Groups(columns));
        _unasked.Remove(name);
        return scaleFormat == ValueFormat.BFloat16
            ? new Matrix(
                (nint)_file.Pointer(name),
                rows,
                columns,
                stored == DType.I8 ? ValueFormat.Int8 : ValueFormat.Int4,
                (nint)_file.Pointer(scales)
            )
            : throw new InvalidDataException($"{_file.Path}: tensor '{scales}' is F32; BF16 is needed.");
    }

    /// <summary>A copy of a small tensor as float32, row-major.</summary>
    /// <exception cref="InvalidDataException">It is missing, has another shape or type, or holds a value that is not finite.</exception>
    public float* Vector(string name, params ReadOnlySpan<long> shape)
    {
        var format = Require(name, shape);
        var count = 1;
        foreach (var size in shape)
            count = checked(count * (int)size);
        var copy = new FloatBuffer();
        _copies.Add(copy);
        new Matrix((nint)_file.Pointer(name), 1, count, format).CopyRow(0, copy.Reserve(count));
        return copy.Pointer;
    }

    /// <summary>Refuses tensors that nobody asked for.</summary>
    /// <exception cref="InvalidDataException">There are some; the message names them.</exception>
    public void RequireAllAsked()
    {
        if (_unasked.Count == 0)
            return;
        var names = _unasked.Order(StringComparer.Ordinal).ToList();
        throw new InvalidDataException(
            $"{_file.Path} does not fit the configuration beside it: unexpected: {string.Join(", ", names.Take(5))}"
                + (names.Count > 5 ? $" and {names.Count - 5} more." : ".")
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private ValueFormat Require(string name, params ReadOnlySpan<long> shape)
    {
        var half = _file.Tensors.TryGetValue(name, out var found) && found.DType == DType.BF16;
        var tensor = _file.Require(name, half ? DType.BF16 : DType.F32, shape);
        _unasked.Remove(name);
        if (
            !(
                half
                    ? IsFinite((ushort*)_file.Pointer(name), tensor.ElementCount)
                    : IsFinite((float*)_file.Pointer(name), tensor.ElementCount)
            )
        )
            throw new InvalidDataException($"{_file.Path}: tensor '{name}' holds a value that is not finite.");
        return half ? ValueFormat.BFloat16 : ValueFormat.Float32;
    }

    private static bool IsFinite(float* values, long count)
    {
        for (var done = 0L; done < count; done += PieceLength)
            if (!TensorPrimitives.IsFiniteAll(new ReadOnlySpan<float>(values + done, (int)Math.Min(PieceLength, count - done))))
                return false;
        return true;
    }

    private static bool IsFinite(ushort* values, long count)
    {
        const int exponent = 0x7F80;
        var finite = true;
        for (var i = 0L; i < count; i++)
            finite &= (values[i] & exponent) != exponent;
        return finite;
    }
}
