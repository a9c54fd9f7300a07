using Engram.Storage;

namespace Engram.Tables;

/// <summary>
/// How a table lies in safetensors files: its values in a tensor <c>….weight</c>, the scales of its rows, where the format has them, in a tensor <c>….scale</c> beside it.
/// Types and shapes say which format it is; only a group size that does not divide the width needs the metadata.
/// </summary>
internal static unsafe class TableFile
{
    // Rows of a power-of-two size then never straddle a page of the mapped file.
    private const int PageSize = 4096;
    private const string GroupSizeSuffix = ".group_size";
    private const string ValuesSuffix = ".weight";

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
            throw new InvalidDataException($"{values.Path}: tensor '{tensorName}' is {TensorInfo.Describe(tensor.DType, tensor.Shape)}; a table is F32, BF16, F8_E4M3, I8 or, for int4, U8.");
        if (tensor.Shape.Length != 2)
            throw new InvalidDataException($"{values.Path}: tensor '{tensorName}' is {TensorInfo.Describe(tensor.DType, tensor.Shape)}; {tensor.DType} [-1, -1] is needed.");
        var (rows, columns) = (tensor.Shape[0], tensor.Shape[1]);
        if (tensor.ByteLength == 0 || columns > int.MaxValue / 8)
            throw new InvalidDataException($"{values.Path}: tensor '{tensorName}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} is no table.");
        var width = (int)columns * (tensor.DType == DType.U8 ? 2 : 1);
        if (tensor.DType is DType.F32 or DType.BF16)
            return (rows, width, tensor.DType == DType.F32 ? RowFormat.Float32 : RowFormat.BFloat16);

        var name = ScaleTensor(tensorName);
        if (scales is null || !scales.Tensors.ContainsKey(name))
            throw new InvalidDataException($"{values.Path}: tensor '{tensorName}' of {tensor.DType} needs a tensor '{name}' of scales, which is missing.");
        var scaleType = tensor.DType == DType.F8_E4M3 ? DType.F8_E8M0 : DType.BF16;
        var groups = scales.Require(name, scaleType, rows, -1).Shape[1];
        var group = GroupSize(values, tensorName, width, groups);
        return (rows, width, tensor.DType switch { DType.F8_E4M3 => RowFormat.Float8(group), DType.I8 => RowFormat.Int8(group), _ => RowFormat.Int4(group) });
    }

    /// <summary>A writer for one table; its tensors are added with <see cref="Add"/>.</summary>
    public static SafetensorsWriter NewWriter(string tensorName, int width, RowFormat format)
    {
        var writer = new SafetensorsWriter { KeepOrder = true, DataAlignment = PageSize };
        if (format.HasScales && width % format.Groups(width) != 0)
            writer.Metadata[tensorName + GroupSizeSuffix] = format.GroupSize.ToString();
        return writer;
    }

    /// <summary>Adds the tensors of a table.</summary>
    public static void Add(SafetensorsWriter writer, string tensorName, long rows, int width, RowFormat format, Action<Stream> writeValues, Action<Stream> writeScales)
    {
        writer.Add(tensorName, format.ValueType, writeValues, rows, format.ValueColumns(width));
        if (format.HasScales)
            writer.Add(ScaleTensor(tensorName), format.ScaleType, writeScales, rows, format.Groups(width));
    }

    private static int GroupSize(SafetensorsFile file, string tensorName, int width, long groups)
    {
        if (file.Metadata.TryGetValue(tensorName + GroupSizeSuffix, out var text))
            return int.TryParse(text, out var stated) && stated > 0 && (width + (long)stated - 1) / stated == groups ? stated
                : throw new InvalidDataException($"{file.Path}: the metadata say {text} values per scale of '{tensorName}', but its rows of {width} values have {groups} scales.");
        if (groups < 1 || width % groups != 0)
            throw new InvalidDataException($"{file.Path}: {groups} scales for the {width} values of a row of '{tensorName}'; a divisor is needed, or '{tensorName}{GroupSizeSuffix}' in the metadata.");
        return groups == 1 ? int.MaxValue : (int)(width / groups);
    }
}
