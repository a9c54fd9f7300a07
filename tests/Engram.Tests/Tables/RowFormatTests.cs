using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Tests.Tables;

public class RowFormatTests
{
    [Theory]
    [InlineData("float32", 64, 256, 0)]
    [InlineData("bfloat16", 64, 128, 0)]
    [InlineData("fp8", 256, 256, 8)]
    [InlineData("fp8", 80, 80, 3)]
    [InlineData("fp8/16", 80, 80, 5)]
    [InlineData("fp8/row", 80, 80, 1)]
    [InlineData("int8", 64, 64, 2)]
    [InlineData("int8/32", 64, 64, 4)]
    [InlineData("int4", 64, 32, 4)]
    [InlineData("int4/row", 64, 32, 2)]
    public void Names_are_read_and_written_and_sizes_follow(string name, int width, int valueBytes, int scaleBytes)
    {
        var format = RowFormat.Parse(name);
        Assert.Equal(name, format.ToString());
        Assert.Equal(format, RowFormat.Parse(format.ToString()));
        Assert.Equal(
            (valueBytes, scaleBytes, valueBytes + scaleBytes),
            (format.ValueBytes(width), format.ScaleBytes(width), format.RowBytes(width))
        );
    }

    [Theory]
    [InlineData("int8/row", "int8")]
    [InlineData("int4/32", "int4")]
    [InlineData("fp8/32", "fp8")]
    public void The_default_group_size_has_no_suffix(string name, string written) =>
        Assert.Equal(written, RowFormat.Parse(name).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("fp16")]
    [InlineData("float32/8")]
    [InlineData("fp8/0")]
    [InlineData("fp8/-1")]
    [InlineData("fp8/1/2")]
    [InlineData("int4/x")]
    [InlineData("int8/")]
    [InlineData("FP8")]
    public void Other_names_are_refused_with_the_choices(string name)
    {
        var error = Assert.Throws<FormatException>(() => RowFormat.Parse(name));
        Assert.Contains("bfloat16", error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Impossible_formats_and_widths_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => RowFormat.Float8(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EngramTable(1, 3, RowFormat.Int4()));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EngramTable(1, 0, RowFormat.BFloat16));
    }
}
