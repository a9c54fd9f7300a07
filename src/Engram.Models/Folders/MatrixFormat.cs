using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Models.Folders;

/// <summary>
/// How the matrices of <c>model.safetensors</c> are stored: F32, BF16, I8 or, two values in a byte, U8; the last two with a bfloat16 scale
/// for each 32 consecutive values of a row in a tensor <c>NAME.scale</c>. It is the row format of tables (<see cref="RowFormat"/>) of the
/// same name, <c>int8/32</c> and <c>int4/32</c>. Vectors, the router and the coefficients of hyper-connections are never coded: they are
/// small and everything depends on them.
/// </summary>
public static unsafe class MatrixFormat
{
    /// <summary>Consecutive values of a row that share a scale.</summary>
    public const int GroupSize = 32;

    private const string ValuesSuffix = ".weight";

    /// <summary>Names of the formats, the usual one first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["float32", "bfloat16", "int8", "int4"];

    /// <summary>Name of the tensor of scales that belongs to a matrix.</summary>
    /// <param name="matrix">Its name, ending in <c>.weight</c>.</param>
    public static string ScaleTensor(string matrix) => matrix[..^ValuesSuffix.Length] + ".scale";

    /// <summary>Scales of a row.</summary>
    /// <param name="columns">Values of the row.</param>
    public static int Groups(int columns) => (columns + GroupSize - 1) / GroupSize;

    /// <summary>Whether a tensor is a matrix that hidden states are multiplied with, or an embedding.</summary>
    /// <param name="name">Its name in the file.</param>
    public static bool IsCoded(string name) =>
        name.EndsWith("_proj.weight", StringComparison.Ordinal)
        || name.EndsWith("_with_mqa.weight", StringComparison.Ordinal)
        || name.EndsWith(".wkv.weight", StringComparison.Ordinal)
        || IsVocabulary(name);

    /// <summary>
    /// How a matrix is stored in a format: as it says, but vocabulary matrices and rows of odd length, which int4 would lose too much of or
    /// cannot hold, in int8 instead of int4.
    /// </summary>
    /// <param name="name">Name of the matrix.</param>
    /// <param name="columns">Values of a row.</param>
    /// <param name="format">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such format.</exception>
    public static RowFormat Of(string name, int columns, string format) =>
        format switch
        {
            "float32" => RowFormat.Float32,
            "bfloat16" => RowFormat.BFloat16,
            "int4" when !IsVocabulary(name) && columns % 2 == 0 => RowFormat.Int4(GroupSize),
            "int8" or "int4" => RowFormat.Int8(GroupSize),
            _ => throw new ArgumentException($"'{format}' is no format of weights: {string.Join(", ", Names)} are.", nameof(format)),
        };

    /// <summary>The format of a tensor in a file, checked against the shape that it must have.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="shape">The shape of its values; those of a matrix are in any format, others F32 or BF16.</param>
    /// <exception cref="InvalidDataException">It or its scales are missing or have another shape or type.</exception>
    internal static RowFormat Require(SafetensorsFile file, string name, params ReadOnlySpan<long> shape)
    {
        var type = file.Tensors.TryGetValue(name, out var found) ? found.DType : DType.F32;
        if (shape.Length != 2 || type is not (DType.I8 or DType.U8))
        {
            file.Require(name, type == DType.BF16 ? DType.BF16 : DType.F32, shape);
            return type == DType.BF16 ? RowFormat.BFloat16 : RowFormat.Float32;
        }

        var (rows, columns) = (shape[0], (int)shape[1]);
        if (type == DType.U8 && columns % 2 != 0)
            throw new InvalidDataException($"{file.Path}: tensor '{name}' is U8, int4, but its rows have {columns} values, an odd number.");
        file.Require(name, type, rows, type == DType.I8 ? columns : columns / 2);
        file.Require(ScaleTensor(name), DType.BF16, rows, Groups(columns));
        return type == DType.I8 ? RowFormat.Int8(GroupSize) : RowFormat.Int4(GroupSize);
    }

    /// <summary>Decodes a tensor of any format to float32.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="values">Receives all values, row-major.</param>
    /// <param name="shape">The shape of its values.</param>
    /// <exception cref="InvalidDataException">It or its scales are missing or have another shape or type.</exception>
    internal static void Decode(SafetensorsFile file, string name, float* values, params ReadOnlySpan<long> shape)
    {
        var (format, tensor) = (Require(file, name, shape), file.Tensors[name]);
        var start = file.Pointer(name);
        if (format == RowFormat.Float32)
        {
            Buffer.MemoryCopy(start, values, tensor.ByteLength, tensor.ByteLength);
        }
        else if (format == RowFormat.BFloat16)
        {
            for (var i = 0L; i < tensor.ElementCount; i++)
                values[i] = BFloat16Codec.ToSingle(((ushort*)start)[i]);
        }
        else
        {
            var stored = new StoredRows(start, file.Pointer(ScaleTensor(name)), (int)shape[1], format);
            for (var row = 0L; row < shape[0]; row++)
                stored.Gather(&row, 1, values + row * shape[1]);
        }
    }

    private static bool IsVocabulary(string name) =>
        name.EndsWith("embed_tokens.weight", StringComparison.Ordinal) || name.EndsWith("lm_head.weight", StringComparison.Ordinal);
}
