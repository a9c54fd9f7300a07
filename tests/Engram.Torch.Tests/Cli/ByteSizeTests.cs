using Engram.Cli.CommandLine;

namespace Engram.Torch.Tests.Cli;

/// <summary>Numbers of bytes as people write them, and as help shows defaults.</summary>
public class ByteSizeTests
{
    [Theory]
    [InlineData(1, "1")]
    [InlineData(1000, "1000")]
    [InlineData(4096, "4KiB")]
    [InlineData(64L << 20, "64MiB")]
    [InlineData((64L << 20) + 1, "67108865")]
    [InlineData(1536L << 20, "1536MiB")]
    [InlineData(1L << 30, "1GiB")]
    [InlineData(3L << 40, "3TiB")]
    public void What_is_shown_is_read(long bytes, string shown)
    {
        Assert.Equal(shown, ByteSize.Show(bytes));
        Assert.Equal(bytes, ByteSize.Parse(shown));
    }

    [Fact]
    public void Other_words_and_too_much_are_no_size() =>
        Assert.All(
            ["", "0", "-1", "1.5GiB", "GiB", "1 000", "9223372036854775808", "9000000TiB"],
            text => Assert.Null(ByteSize.Parse(text))
        );
}
