using System.Globalization;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// How a table lies in safetensors files: its values in a tensor <c>….weight</c>, the scales of its rows, where the format has them, in a
/// tensor <c>….scale</c> beside it. Types and shapes say which format it is; only a group size that does not divide the width needs the
/// metadata.
/// </summary>
internal static unsafe class TableFile
{
    // Rows of a power-of-two size then never straddle a page of the mapped file.
    private const int PageSize = 4096;
    private const string GroupSizeSuffix = ".group_size";
    private const string ValuesSuffix = ".weight";

    /// <summary>Key of the metadata that says which training the rows are of.</summary>
    public const string IdentityKey = "identity";

    /// <summary>Name of the tensor of scales that belongs to a tensor of values.</summary>
    public static string ScaleTensor(string valueTensor) =>
        (valueTensor.EndsWith(ValuesSuffix, StringComparison.Ordinal) ? valueTensor[..^ValuesSuffix.Length] : valueTensor) + ".scale";

    /// <summary>What the tensors of a table say: its rows, width and format, checked against each other.</summary>
    /// <param name="values">The file with the tensor of values.</param>
    /// <param name="scales">The file with the tensor of scales, often the same; null if no file has one.</param>
    /// <param name="tensorName">Name of the tensor of values.</param>
    /// <exception cref="InvalidDataException">These are no table's tensors.</exception>
    public static (long Rows, int Width, RowFormat Format) Describe(SafetensorsFile values, SafetensorsFile? scales, string tensorName)
    {
        if (!values.Tensors.TryGetValue(tensorName, out var tensor))
            throw new InvalidDataException($"{values.Path}: there is no tensor '{tensorName}'.");
        if (tensor.DType is not (DType.F32 or DType.BF16 or DType.F8_E4M3 or DType.I8 or DType.U8))
            throw new InvalidDataException(
                $"{values.Path}: tensor '{tensorName}' is {TensorInfo.Describe(tensor.DType, tensor.Shape)}; a table is F32, BF16, "
                    + "F8_E4M3, I8 or, for int4, U8."
            );
        if (tensor.Shape.Length != 2)
            throw new InvalidDataException(
                $"{values.Path}: tensor '{tensorName}' is {TensorInfo.Describe(tensor.DType, tensor.Shape)}; {tensor.DType} [-1, -1] is "
                    + "needed."
            );
        var (rows, columns) = (tensor.Shape[0], tensor.Shape[1]);
        if (tensor.ByteLength == 0)
            throw new InvalidDataException(
                $"{values.Path}: tensor '{tensorName}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} is no table."
            );
        var packed = tensor.DType == DType.U8 ? 2 : 1; // two values of int4 in a byte
        if (columns > RowFormat.MaxWidth / packed)
            throw new InvalidDataException(
                $"{values.Path}: tensor '{tensorName}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} is no table: a row has at "
                    + $"most {RowFormat.MaxWidth} values."
            );
        var width = (int)columns * packed;
        if (tensor.DType is DType.F32 or DType.BF16)
            return (rows, width, tensor.DType == DType.F32 ? RowFormat.Float32 : RowFormat.BFloat16);

        var name = ScaleTensor(tensorName);
        if (scales is null || !scales.Tensors.ContainsKey(name))
            throw new InvalidDataException(
                $"{values.Path}: tensor '{tensorName}' of {tensor.DType} needs a tensor '{name}' of scales, which is missing."
            );
        var scaleType = tensor.DType == DType.F8_E4M3 ? DType.F8_E8M0 : DType.BF16;
        var groups = scales.Require(name, scaleType, rows, -1).Shape[1];
        return (rows, width, Grouped(values, tensorName, tensor.DType, width, groups));
    }

    /// <summary>A writer for one table; its tensors are added with <see cref="Add"/>.</summary>
    public static SafetensorsWriter NewWriter(string tensorName, int width, RowFormat format, string? identity = null)
    {
        var writer = new SafetensorsWriter { KeepOrder = true, DataAlignment = PageSize };
        if (identity is not null)
            writer.Metadata[IdentityKey] = identity;
        // Without it, a reader takes the scales of a row to cover equally many values.
        if (format.Groups(width) is > 1 and var groups && groups * (long)format.GroupSize != width)
            writer.Metadata[GroupSizeKey(tensorName)] = format.GroupSize.ToString(CultureInfo.InvariantCulture);
        return writer;
    }

    /// <summary>Adds the tensors of a table.</summary>
    public static void Add(
        SafetensorsWriter writer,
        string tensorName,
        long rows,
        int width,
        RowFormat format,
        Action<Stream> writeValues,
        Action<Stream> writeScales
    )
    {
        writer.Add(tensorName, format.ValueType, writeValues, rows, format.ValueColumns(width));
        if (format.HasScales)
            writer.Add(ScaleTensor(tensorName), format.ScaleType, writeScales, rows, format.Groups(width));
    }

    /// <summary>Key of the metadata that says how many values share a scale.</summary>
    public static string GroupSizeKey(string valueTensor) => valueTensor + GroupSizeSuffix;

    private static RowFormat Grouped(SafetensorsFile file, string tensorName, DType type, int width, long groups)
    {
        if (file.Metadata.TryGetValue(GroupSizeKey(tensorName), out var text))
            return
                int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var stated)
                && stated > 0
                && (width + (long)stated - 1) / stated == groups
                ? Of(stated)
                : throw new InvalidDataException(
                    $"{file.Path}: the metadata say {(text.Length <= 20 ? text : text[..20] + "…")} values per scale of '{tensorName}', "
                        + $"but its rows of {width} values have {groups} scales."
                );
        if (groups < 1 || width % groups != 0)
            throw new InvalidDataException(
                $"{file.Path}: {groups} scales for the {width} values of a row of '{tensorName}'; a divisor is needed, or "
                    + $"'{GroupSizeKey(tensorName)}' in the metadata."
            );
        // Where one scale covers a row, the usual group may be longer than the row.
        var usual = Of(null);
        return groups > 1 ? Of((int)(width / groups))
            : usual.Groups(width) == 1 ? usual
            : Of(int.MaxValue);

        RowFormat Of(int? group) =>
            type switch
            {
                DType.F8_E4M3 => group is { } size ? RowFormat.Float8(size) : RowFormat.Float8(),
                DType.I8 => group is { } size ? RowFormat.Int8(size) : RowFormat.Int8(),
                _ => group is { } size ? RowFormat.Int4(size) : RowFormat.Int4(),
            };
    }
}
