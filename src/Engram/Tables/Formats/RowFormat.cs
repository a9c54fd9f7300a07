using System.Globalization;
using Engram.Storage;

namespace Engram.Tables.Formats;

/// <summary>How the values of a row are coded.</summary>
public enum RowEncoding
{
    /// <summary>IEEE single, 4 bytes a value. What is trained.</summary>
    Float32,

    /// <summary>Upper half of an IEEE single, 2 bytes a value.</summary>
    BFloat16,

    /// <summary>
    /// E4M3 (finite form), one byte a value, with an E8M0 power of two per group: the layout of the published V4.1 tables.
    /// </summary>
    Float8,

    /// <summary>Two's complement byte in −127 to 127, with a bfloat16 scale per group.</summary>
    Int8,

    /// <summary>
    /// Half a byte, code 0 to 15 for −8 to 7 (−7 to 7 are used), the first of two values in the low half, with a bfloat16 scale per group.
    /// </summary>
    Int4,
}

/// <summary>
/// Storage format of a table's rows: an encoding, and for encodings with scales how many values share one. A row is a run of value bytes
/// and, elsewhere, a run of scale bytes: in files the tensors <c>NAME.weight</c> [R, w] (Int4: [R, w/2]) and <c>NAME.scale</c> [R, groups].
/// A group never crosses rows; the last one of a row may be shorter.
/// </summary>
public sealed record RowFormat
{
    /// <summary>Most values of a row, far beyond any memory's: so the buffer for some rows is never large.</summary>
    public const int MaxWidth = 1 << 16;

    private RowFormat(RowEncoding encoding, int groupSize) => (Encoding, GroupSize) = (encoding, groupSize);

    /// <summary>4 bytes a value.</summary>
    public static RowFormat Float32 { get; } = new(RowEncoding.Float32, 0);

    /// <summary>2 bytes a value.</summary>
    public static RowFormat BFloat16 { get; } = new(RowEncoding.BFloat16, 0);

    /// <summary>E4M3 with a power-of-two scale per group.</summary>
    /// <param name="groupSize">Values per scale, at least 1; published tables have 32.</param>
    public static RowFormat Float8(int groupSize = 32) => new(RowEncoding.Float8, Positive(groupSize));

    /// <summary>Bytes with a bfloat16 scale.</summary>
    /// <param name="groupSize">Values per scale, at least 1; null for one scale per row.</param>
    public static RowFormat Int8(int? groupSize = null) => new(RowEncoding.Int8, Positive(groupSize ?? int.MaxValue));

    /// <summary>Half bytes with a bfloat16 scale.</summary>
    /// <param name="groupSize">Values per scale, at least 1; null for one scale per row.</param>
    public static RowFormat Int4(int? groupSize = 32) => new(RowEncoding.Int4, Positive(groupSize ?? int.MaxValue));

    /// <summary>Code of one value.</summary>
    public RowEncoding Encoding { get; }

    /// <summary>Values that share a scale; 0 for encodings without scales, <see cref="int.MaxValue"/> for one scale per row.</summary>
    public int GroupSize { get; }

    /// <summary>Whether rows have scales.</summary>
    public bool HasScales => GroupSize > 0;

    /// <summary>Bytes of a row's values.</summary>
    /// <param name="width">Width w of a row in values; even for <see cref="RowEncoding.Int4"/>.</param>
    public int ValueBytes(int width) =>
        Encoding switch
        {
            RowEncoding.Float32 => checked(4 * width),
            RowEncoding.BFloat16 => checked(2 * width),
            RowEncoding.Int4 => width / 2,
            _ => width,
        };

    /// <summary>Scales of a row.</summary>
    /// <param name="width">Width w of a row in values.</param>
    public int Groups(int width) => HasScales ? (int)(((long)width + GroupSize - 1) / GroupSize) : 0;

    /// <summary>Bytes of a row's scales.</summary>
    /// <param name="width">Width w of a row in values.</param>
    public int ScaleBytes(int width) => Groups(width) * (Encoding == RowEncoding.Float8 ? 1 : 2);

    /// <summary>Bytes of a row, values and scales.</summary>
    /// <param name="width">Width w of a row in values.</param>
    public int RowBytes(int width) => checked(ValueBytes(width) + ScaleBytes(width));

    /// <summary>Element type of the tensor of values.</summary>
    internal DType ValueType =>
        Encoding switch
        {
            RowEncoding.Float32 => DType.F32,
            RowEncoding.BFloat16 => DType.BF16,
            RowEncoding.Float8 => DType.F8_E4M3,
            RowEncoding.Int8 => DType.I8,
            _ => DType.U8,
        };

    /// <summary>Element type of the tensor of scales.</summary>
    internal DType ScaleType => Encoding == RowEncoding.Float8 ? DType.F8_E8M0 : DType.BF16;

    /// <summary>Columns of the tensor of values.</summary>
    internal int ValueColumns(int width) => Encoding == RowEncoding.Int4 ? width / 2 : width;

    /// <summary>Refuses widths that the encoding cannot store.</summary>
    internal void CheckWidth(int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, MaxWidth);
        if (Encoding == RowEncoding.Int4 && width % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(width), width, $"A row of int4 holds an even number of values, not {width}.");
    }

    /// <summary>
    /// Reads a name: <c>float32</c>, <c>bfloat16</c>, <c>fp8</c>, <c>int8</c> or <c>int4</c>, the last three with the values per scale
    /// behind a slash if they are not the default (<c>fp8/16</c>, <c>int4/row</c>).
    /// </summary>
    /// <exception cref="FormatException">The text names no format.</exception>
    public static RowFormat Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var (name, group) = text.Split('/') switch
        {
            [var only] => (only, ""),
            [var first, var second] when second != "" => (first, second),
            _ => ("", ""),
        };
        int? size =
            group is "" or "row" ? null
            : int.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given > 0 ? given
            : -1;
        return (name, group, size) switch
        {
            ("float32", "", _) => Float32,
            ("bfloat16", "", _) => BFloat16,
            ("fp8", "", _) => Float8(),
            ("int8", "", _) => Int8(),
            ("int4", "", _) => Int4(),
            ("fp8", "row", _) => Float8(int.MaxValue),
            ("int8", "row", _) => Int8(),
            ("int4", "row", _) => Int4(null),
            ("fp8", _, > 0) => Float8(size.Value),
            ("int8", _, > 0) => Int8(size),
            ("int4", _, > 0) => Int4(size),
            _ => throw new FormatException(
                $"'{text}' is no row format: float32, bfloat16, fp8, int8 or int4 are, the last three also with the values per scale, as "
                    + "in fp8/16 or int4/row."
            ),
        };
    }

    /// <summary>The name that <see cref="Parse"/> reads.</summary>
    public override string ToString() =>
        Encoding switch
        {
            RowEncoding.Float32 => "float32",
            RowEncoding.BFloat16 => "bfloat16",
            RowEncoding.Float8 => "fp8" + Suffix(32),
            RowEncoding.Int8 => "int8" + Suffix(int.MaxValue),
            _ => "int4" + Suffix(32),
        };

    private string Suffix(int normal) =>
        GroupSize == normal ? ""
        : GroupSize == int.MaxValue ? "/row"
        : $"/{GroupSize}";

    private static int Positive(int groupSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groupSize, 1);
        return groupSize;
    }
}
