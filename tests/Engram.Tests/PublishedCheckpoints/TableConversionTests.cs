using Engram.Addressing;
using Engram.PublishedCheckpoints;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;
using Engram.Vocabulary;

namespace Engram.Tests.PublishedCheckpoints;

public sealed class TableConversionTests : IDisposable
{
    private const string Name = "model.layers.1.engram.embed.weight";

    private readonly TemporaryFolder _folder = new();

    private string Source => _folder.File("source.safetensors");

    private string Target => _folder.File("target.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Whatever_else_a_file_holds_stays_with_its_table()
    {
        var other = Enumerable.Range(0, 700_000).Select(i => (float)i).ToArray(); // more than one piece of the copy
        var writer = new SafetensorsWriter { Metadata = { ["note"] = "kept" } };
        writer.Add<float>(Name, DType.F32, [.. Enumerable.Range(0, 96).Select(i => i / 8f)], 3, 32);
        writer.Add<float>("other.weight", DType.F32, other, 700, 1000);
        writer.Add<long>("step", DType.I64, [7]);
        writer.Write(Source);
        using (var source = TableSource.Open(Source))
            Convert(source, RowFormat.Float8(), Target);
        using (var source = TableSource.Open(Target))
            Convert(source, RowFormat.Float32, _folder.File("back.safetensors"));
        foreach (var path in (string[])[Target, _folder.File("back.safetensors")])
        {
            using var file = SafetensorsFile.Open(path);
            var (copied, step) = (new float[other.Length], new long[1]);
            file.CopyTo<float>("other.weight", copied, 700, 1000);
            file.CopyTo<long>("step", step);
            Assert.Equal(other, copied);
            Assert.Equal(7, step[0]);
            Assert.Equal("kept", file.Metadata["note"]);
            Assert.Equal(path == Target ? 4 : 3, file.Tensors.Count);
        }
    }

    /// <summary>
    /// As many rows as make several blocks, in every format and back; the converted file is what encoding the rows in memory gives.
    /// </summary>
    [Theory]
    [InlineData("bfloat16")]
    [InlineData("fp8")]
    [InlineData("fp8/48")]
    [InlineData("int8")]
    [InlineData("int8/16")]
    [InlineData("int4")]
    [InlineData("int4/row")]
    public void A_converted_file_is_the_table_in_the_other_format(string text)
    {
        const int rows = 10_001,
            width = 80;
        var format = RowFormat.Parse(text);
        using var table = new EngramTable(rows, width);
        table.FillNormal(1, 0.1f);
        table.Save(Source, Name);
        using var expected = new EngramTable(rows, width, format);
        expected.Write(0, All(table));
        var reported = new List<TableProgress>();
        using (var source = TableSource.Open(Source))
            Convert(source, format, Target, new Reports(reported));
        using (var written = EngramTable.Load(Target, Name, rows, width))
        {
            Assert.Equal(format, written.Format);
            Assert.Equal(All(expected), All(written));
        }
        Assert.Equal(new TableProgress(rows, rows), reported[^1]);
        Assert.True(reported.Count > 2);

        // Written at once or in a stream: the same bytes.
        var streamed = File.ReadAllBytes(Target);
        expected.Save(Target, Name);
        Assert.Equal(File.ReadAllBytes(Target), streamed);

        // What was converted once stays what it is.
        var (plain, again) = (_folder.File("plain.safetensors"), _folder.File("again.safetensors"));
        using (var source = TableSource.Open(Target))
            Convert(source, RowFormat.Float32, plain);
        using (var source = TableSource.Open(plain))
            Convert(source, format, again);
        using var once = EngramTable.Load(Target, Name);
        using var twice = EngramTable.Load(again, Name);
        Assert.Equal(All(once), All(twice));
    }

    [Fact]
    public void Values_that_are_not_finite_are_named_and_nothing_is_written()
    {
        var values = new float[3000 * 100];
        values[2500 * 100 + 7] = float.NaN;
        var writer = new SafetensorsWriter();
        writer.Add<float>(Name, DType.F32, values, 3000, 100);
        writer.Write(Source);
        File.WriteAllText(Target, "old");
        using var source = TableSource.Open(Source);
        var error = Assert.Throws<InvalidDataException>(() => Convert(source, RowFormat.Int8(), Target));
        Assert.StartsWith(Source, error.Message, StringComparison.Ordinal);
        Assert.Contains("value 7 of row 2500", error.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(Target));
        Assert.Equal(["source.safetensors", "target.safetensors"], _folder.Names());
    }

    [Fact]
    public void Cancelling_leaves_nothing()
    {
        using var table = new EngramTable(10_000, 100);
        table.Save(Source, Name);
        using var cancellation = new CancellationTokenSource();
        using var source = TableSource.Open(Source);
        Assert.Throws<OperationCanceledException>(() =>
            Convert(source, RowFormat.Float8(), Target, new Cancels(cancellation), cancellation.Token)
        );
        Assert.Equal(["source.safetensors"], _folder.Names());
    }

    [Fact]
    public void The_source_is_never_overwritten_under_whatever_name()
    {
        using var table = new EngramTable(3, 5);
        table.Save(Source, Name);
        var before = File.ReadAllBytes(Source);
        File.CreateSymbolicLink(_folder.File("link.safetensors"), Source);
        Directory.CreateSymbolicLink(_folder.File("elsewhere"), System.IO.Path.GetDirectoryName(Source)!);
        using var source = TableSource.Open(Source);
        foreach (
            var target in new[]
            {
                Source,
                _folder.File("link.safetensors"),
                _folder.File("elsewhere/source.safetensors"),
                _folder.File("./elsewhere/../source.safetensors"),
            }
        )
            Assert.Contains(
                "source itself",
                Assert.Throws<ArgumentException>(() => Convert(source, RowFormat.BFloat16, target)).Message,
                StringComparison.Ordinal
            );
        Assert.Contains(
            "even number",
            Assert.Throws<ArgumentException>(() => Convert(source, RowFormat.Int4(), Target)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, File.ReadAllBytes(Source));
    }

    [Fact]
    public void A_model_folder_becomes_a_model_folder()
    {
        var folder = Model();
        var target = _folder.File("converted");
        using (var source = TableSource.Open(folder))
        {
            Assert.Equal(TableSourceKind.ModelFolder, source.Kind);
            Convert(source, RowFormat.Float8(16), target);
            Assert.Contains(
                "no empty folder",
                Assert.Throws<IOException>(() => Convert(source, RowFormat.Int8(), target)).Message,
                StringComparison.Ordinal
            );
            Assert.Contains(
                "lies in it",
                Assert.Throws<ArgumentException>(() => Convert(source, RowFormat.Int8(), System.IO.Path.Combine(folder, "new"))).Message,
                StringComparison.Ordinal
            );
        }
        Assert.Equal(Files(folder), Files(target));
        foreach (var file in Files(folder).Where(file => !file.Contains("layer-", StringComparison.Ordinal)))
            Assert.Equal(File.ReadAllBytes(System.IO.Path.Combine(folder, file)), File.ReadAllBytes(System.IO.Path.Combine(target, file)));
        using var converted = TableSource.Open(target);
        using var original = TableSource.Open(folder);
        Assert.Equal([1, 4], converted.Tables.Select(table => table.Layer!.Value));
        foreach (var (one, other) in original.Tables.Zip(converted.Tables))
        {
            Assert.Equal((RowFormat.Float8(16), one.Table.Rows), (other.Table.Format, other.Table.Rows));
            foreach (var (a, b) in All(one.Table).Zip(All(other.Table)))
                Assert.InRange(b, a - 0.07f, a + 0.07f);
        }
    }

    [Fact]
    public void A_failed_conversion_of_a_folder_leaves_nothing()
    {
        var folder = Model();
        using var cancellation = new CancellationTokenSource();
        using (var source = TableSource.Open(folder))
            Assert.Throws<OperationCanceledException>(() =>
                Convert(source, RowFormat.Float8(), _folder.File("converted"), new Cancels(cancellation), cancellation.Token)
            );
        Assert.Equal([folder], Directory.GetDirectories(System.IO.Path.GetDirectoryName(folder)!));
    }

    [Fact]
    public void Tables_that_do_not_fit_the_addresses_are_refused()
    {
        var folder = Model();
        using (var table = new EngramTable(3, 40))
            table.Save(System.IO.Path.Combine(folder, TablePaths.Table(4)), TablePaths.Tensor(4));
        var error = Assert.Throws<InvalidDataException>(() => TableSource.Open(folder));
        Assert.Contains("the table has 3 rows, but", error.Message, StringComparison.Ordinal);
        File.Delete(System.IO.Path.Combine(folder, TablePaths.Table(4)));
        Assert.Throws<FileNotFoundException>(() => TableSource.Open(folder));
        Assert.Throws<FileNotFoundException>(() => TableSource.Open(_folder.File("nothing")));
        Directory.CreateDirectory(_folder.File("empty"));
        Assert.Contains(
            "neither",
            Assert.Throws<FileNotFoundException>(() => TableSource.Open(_folder.File("empty"))).Message,
            StringComparison.Ordinal
        );
    }

    private static void Convert(
        TableSource source,
        RowFormat format,
        string target,
        IProgress<TableProgress>? progress = null,
        CancellationToken? cancellation = null
    ) => TableConversion.Convert(source, format, target, progress, cancellation ?? TestContext.Current.CancellationToken);

    private string Model()
    {
        var folder = _folder.File("model");
        Directory.CreateDirectory(System.IO.Path.Combine(folder, "engram"));
        File.WriteAllText(System.IO.Path.Combine(folder, "config.json"), "{}");
        File.WriteAllText(System.IO.Path.Combine(folder, "tokenizer.json"), "{ }");
        var map = CanonicalMap.FromStored([0, 1, 2, 1], "map");
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 3,
                Layers = [1, 4],
                SlotsPerOrder = [300, 400],
                HeadsPerOrder = 2,
                PadId = 0,
            }
        );
        new ModelAddressing(constants, map, "fingerprint").Save(System.IO.Path.Combine(folder, TablePaths.Addressing));
        foreach (var layer in constants.Layers)
        {
            using var table = new EngramTable(layer.TotalRows, 40);
            table.FillNormal((ulong)layer.Layer, 0.2f);
            table.Save(System.IO.Path.Combine(folder, TablePaths.Table(layer.Layer)), TablePaths.Tensor(layer.Layer));
        }
        return folder;
    }

    private static string[] Files(string folder) =>
        [
            .. Directory
                .GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(file => System.IO.Path.GetRelativePath(folder, file))
                .Order(StringComparer.Ordinal),
        ];

    private static float[] All(EngramTable table)
    {
        var values = new float[table.Rows * table.Width];
        table.Gather([.. Enumerable.Range(0, (int)table.Rows).Select(row => (long)row)], values);
        return values;
    }

    private sealed class Reports(List<TableProgress> list) : IProgress<TableProgress>
    {
        public void Report(TableProgress value) => list.Add(value);
    }

    private sealed class Cancels(CancellationTokenSource source) : IProgress<TableProgress>
    {
        public void Report(TableProgress value) => source.Cancel();
    }
}
