using CsCheck;
using Engram.PublishedCheckpoints;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables;

/// <summary>What files say about the tables in them, and what is wrong with tables.</summary>
public sealed class TableFileTests : IDisposable
{
    private const string Name = "layers.3.engram.embed.weight";
    private const string ScaleName = "layers.3.engram.embed.scale";

    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("table.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_format_and_width_survives_a_file() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[1, 100], Gen.Int[1, 120], Gen.Int[0, 4])
            .Sample(
                (rows, width, group, encoding) =>
                {
                    if (encoding == 4)
                        width += width % 2;
                    var format = encoding switch
                    {
                        0 => RowFormat.Float32,
                        1 => RowFormat.BFloat16,
                        2 => RowFormat.Float8(group),
                        3 => RowFormat.Int8(group),
                        _ => RowFormat.Int4(group),
                    };
                    var path = _folder.File($"{Guid.NewGuid():N}.safetensors");
                    using var table = new EngramTable(rows, width, format);
                    table.Write(0, [.. Enumerable.Range(0, rows * width).Select(i => i % 17 - 8f)]);
                    table.Save(path, Name);
                    using var mapped = EngramTable.Map(path, Name, rows, width);
                    Assert.Equal((format.Encoding, format.Groups(width)), (mapped.Format.Encoding, mapped.Format.Groups(width)));
                    if (format.Groups(width) > 1)
                        Assert.Equal(format, mapped.Format);
                    var (expected, found) = (new float[rows * width], new float[rows * width]);
                    table.Gather([.. Enumerable.Range(0, rows).Select(row => (long)row)], expected);
                    mapped.Gather([.. Enumerable.Range(0, rows).Select(row => (long)row)], found);
                    Assert.Equal(expected, found);
                    File.Delete(path);
                },
                iter: 400,
                threads: 1
            );

    /// <summary>Scales lie with their rows in memory and apart in files, which are written in blocks.</summary>
    [Theory, InlineData("fp8/1"), InlineData("int8/2"), InlineData("int4/2"), InlineData("float32")]
    public void Tables_of_many_blocks_survive_a_file_and_memory(string name)
    {
        const int rows = 70_001,
            width = 32;
        var format = RowFormat.Parse(name);
        using var table = new EngramTable(rows, width, format);
        var random = new Random(5);
        table.Write(0, [.. Enumerable.Range(0, rows * width).Select(_ => random.NextSingle() - 0.5f)]);
        table.Save(Path, Name);
        using var mapped = EngramTable.Map(Path, Name);
        using var loaded = EngramTable.Load(Path, Name);
        long[] all = [.. Enumerable.Range(0, rows).Select(row => (long)row)];
        var expected = Stored(table);
        using (var file = SafetensorsFile.Open(Path))
        {
            Assert.Equal(expected.Values, file.Bytes(Name).ToArray());
            if (format.HasScales)
                Assert.Equal(expected.Scales, file.Bytes(ScaleName).ToArray());
        }
        foreach (var (values, scales) in new[] { Stored(mapped), Stored(loaded) })
        {
            Assert.Equal(expected.Values, values);
            Assert.Equal(expected.Scales, scales);
        }
        loaded.FillZero();
        Assert.Equal(-1, Stored(loaded).Values.AsSpan().IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, Stored(loaded).Scales.AsSpan().IndexOfAnyExcept((byte)0));

        (byte[] Values, byte[] Scales) Stored(EngramTable from)
        {
            var (values, scales) = (new byte[rows * format.ValueBytes(width)], new byte[rows * format.ScaleBytes(width)]);
            from.GatherStored(all, values, scales);
            return (values, scales);
        }
    }

    [Fact]
    public void Group_sizes_that_do_not_fit_are_refused()
    {
        foreach (
            var (size, scales, expected) in new[]
            {
                ("31", 2, "say 31 values"),
                ("0", 2, "say 0"),
                ("-5", 2, "say -5"),
                ("x", 2, "say x"),
                (new string('9', 99), 2, "9…"),
                (null, 3, "3 scales for the 64"),
            }
        )
        {
            var writer = new SafetensorsWriter();
            if (size is not null)
                writer.Metadata[Name + ".group_size"] = size;
            writer.Add<byte>(Name, DType.F8_E4M3, new byte[128], 2, 64);
            writer.Add<byte>(ScaleName, DType.F8_E8M0, new byte[2 * scales], 2, scales);
            writer.Write(Path);
            var error = Assert.Throws<InvalidDataException>(() => EngramTable.Map(Path, Name));
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            Assert.StartsWith(Path, error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Claims of petabytes in a file of holes cost nothing.</summary>
    [Fact]
    public void Rows_beyond_all_measure_are_refused_or_only_mapped()
    {
        var writer = new SafetensorsWriter();
        writer.Add(Name, DType.F8_E4M3, stream => Hole(stream, 3L << 20), 3, 1 << 20);
        writer.Write(Path);
        Assert.Contains(
            "at most 65536 values",
            Assert.Throws<InvalidDataException>(() => EngramTable.Map(Path, Name)).Message,
            StringComparison.Ordinal
        );

        // Two values of int4 to a byte.
        writer = new SafetensorsWriter();
        writer.Add<byte>(Name, DType.U8, new byte[65536], 1, 65536);
        writer.Add<ushort>(ScaleName, DType.BF16, new ushort[1], 1, 1);
        writer.Write(Path);
        Assert.Contains(
            "at most 65536 values",
            Assert.Throws<InvalidDataException>(() => EngramTable.Load(Path, Name)).Message,
            StringComparison.Ordinal
        );

        var before = GC.GetAllocatedBytesForCurrentThread();
        writer = new SafetensorsWriter();
        writer.Add(Name, DType.F32, stream => Hole(stream, 4L * 16 * 1_000_000_000), 1_000_000_000, 16);
        writer.Write(Path);
        using var table = EngramTable.Map(Path, Name);
        var row = new float[16];
        table.Gather([999_999_999], row);
        Assert.All(row, value => Assert.Equal(0, value));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);

        static void Hole(Stream stream, long bytes)
        {
            stream.SetLength(stream.Position + bytes);
            stream.Position += bytes;
        }
    }

    [Fact]
    public void The_table_of_a_file_is_found_by_name_or_alone()
    {
        var writer = new SafetensorsWriter();
        writer.Add<float>("rows", DType.F32, [1, 2], 1, 2);
        writer.Add<float>("bias", DType.F32, [1], 1);
        writer.Write(Path);
        using (var source = TableSource.Open(Path))
            Assert.Equal(
                ("rows", (int?)null, 1L, TableSourceKind.File),
                (source.Tables[0].TensorName, source.Tables[0].Layer, source.Tables[0].Table.Rows, source.Kind)
            );
        writer.Add<float>("other", DType.F32, [1, 2], 2, 1);
        writer.Write(Path);
        Assert.Contains(
            "2 tensors might be the table",
            Assert.Throws<InvalidDataException>(() => TableSource.Open(Path)).Message,
            StringComparison.Ordinal
        );
        writer.Add<float>(Name, DType.F32, [1, 2], 2, 1);
        writer.Write(Path);
        using (var source = TableSource.Open(Path))
            Assert.Equal((Name, 3), (source.Tables[0].TensorName, source.Tables[0].Layer));
    }

    [Fact]
    public void Verification_counts_and_names_what_is_wrong()
    {
        const int rows = 9000,
            width = 64;
        var (values, scales) = (new byte[rows * width], new byte[rows * 2]);
        Array.Fill(scales, (byte)127);
        values.AsSpan(100 * width).Fill(0x38); // 1
        values[4000 * width + 5] = 0x7F;
        values[^1] = 0xFF;
        scales[2 * 5000 + 1] = 255;
        scales[0] = 255;
        var found = Verify(DType.F8_E4M3, values, DType.F8_E8M0, scales, rows, width);
        Assert.Equal((9000, 99, 4), (found.Rows, found.ZeroRows, found.BadRows));
        Assert.Equal(
            [
                "row 0: scale 0 is 255, no number",
                "row 4000: value 5 is NaN",
                "row 5000: scale 1 is 255, no number",
                "row 8999: value 63 is NaN",
            ],
            found.Problems
        );
        using (var table = EngramTable.Map(Path, Name))
            Assert.Equal(0, table.FirstRowNotFinite());

        var bfloat16 = new byte[rows * 2];
        BitConverter.TryWriteBytes(bfloat16.AsSpan(2 * 7), (ushort)0xBF80); // −1
        BitConverter.TryWriteBytes(bfloat16.AsSpan(2 * 8), (ushort)0x7F80); // infinity
        found = Verify(DType.I8, new byte[rows * width], DType.BF16, bfloat16, rows, width);
        Assert.Equal(2, found.BadRows);
        Assert.Equal(["row 7: scale 0 is -1", "row 8: scale 0 is Infinity"], found.Problems);
    }

    private TableVerification Verify(DType type, byte[] values, DType scaleType, byte[] scales, int rows, int width)
    {
        var writer = new SafetensorsWriter();
        writer.Add(Name, type, stream => stream.Write(values), rows, width);
        writer.Add(ScaleName, scaleType, stream => stream.Write(scales), rows, scales.Length / rows / (scaleType == DType.BF16 ? 2 : 1));
        writer.Write(Path);
        using var source = TableSource.Open(Path);
        return TableVerification.Run(source.Tables[0].Table, cancellation: TestContext.Current.CancellationToken);
    }
}
