using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Addressing;
using Engram.PublishedCheckpoints;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;

namespace Engram.Tests.PublishedCheckpoints;

public sealed class V41CheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("checkpoint");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("model.")]
    public void Tables_hold_the_rows_of_the_shards(string prefix)
    {
        V41Folder.Small(Path, prefix);
        using var checkpoint = V41Checkpoint.Open(Path);
        Assert.Equal([1, 3], checkpoint.Configuration.LayerIds);
        Assert.Equal([$"{prefix}layers.1.engram.embed.weight", $"{prefix}layers.3.engram.embed.weight"], checkpoint.TensorNames);
        foreach (var (table, layer) in checkpoint.Tables.Zip(checkpoint.Constants.Layers))
        {
            Assert.Equal(
                (layer.TotalRows, V41Folder.Width, RowFormat.Float8(), true),
                (table.Rows, table.Width, table.Format, table.IsMapped)
            );
            RequireRows(table, [.. Enumerable.Range(0, (int)table.Rows).Select(row => (long)row)]);
        }
    }

    /// <summary>Two tables of 384 million rows, 101 GB each, of which some rows exist: opened and read where they lie.</summary>
    [Fact]
    public void Tables_of_the_published_size_are_opened_in_place()
    {
        Assert.SkipUnless(HolesCostNothing(), "This file system stores holes: the files would fill 203 GB.");
        const long rows1 = 384_006_168,
            rows14 = 384_016_682;
        long[] first = [0, 1, 12_345, 16_000_057, 200_000_000, rows1 - 2, rows1 - 1],
            second = [0, 7, 99_999_999, 383_999_999, rows14 - 1];
        V41Folder.Full(Path, [.. first], [.. second]);
        Assert.True(Directory.EnumerateFiles(Path).Sum(file => FileIdentity.Of(file)!.Value.OccupiedBytes) < 2 << 20);

        using (V41Checkpoint.Open(Path)) { } // compiles what opening needs
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var checkpoint = V41Checkpoint.Open(Path);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        RequireRows(checkpoint.Tables[0], first);
        RequireRows(checkpoint.Tables[1], second);
        Assert.InRange(ResidentBytes(), 1, 50 << 20);
        Assert.Equal((rows1, rows14), (checkpoint.Tables[0].Rows, checkpoint.Tables[1].Rows));
        Assert.Equal(101_377_628_352, checkpoint.Tables[0].Bytes);

        // The constants are those of the golden case, and every address is a row of the tables.
        var golden = JsonNode
            .Parse(File.ReadAllText(System.IO.Path.Combine(AppContext.BaseDirectory, "Addressing", "golden", "addressing.json")))!
            .AsArray()
            .Single(one => (string)one!["name"]! == "v4.1")!;
        Assert.Equal((int)golden["padId"]!, checkpoint.Constants.Spec.PadId);
        foreach (var (layer, expected) in checkpoint.Constants.Layers.Zip(golden["perLayer"]!.AsArray()))
            Assert.Equal(expected!["multipliers"]!.AsArray().Select(value => (long)value!), layer.Multipliers);
        var addresser = new NgramAddresser(checkpoint.Constants);
        int[] tokens = [.. golden["tokens"]!.AsArray().Select(token => (int)token!)];
        var addresses = new long[tokens.Length * addresser.Columns];
        addresser.Address(tokens, documentStarts: [], layerPosition: 1, addresses);
        var gathered = new float[addresses.Length * 256];
        checkpoint.Tables[1].Gather(addresses, gathered);
        Assert.All(
            addresses.Index(),
            address =>
            {
                if (!second.Contains(address.Item))
                    Assert.All(gathered.AsSpan(address.Index * 256, 256).ToArray(), value => Assert.Equal(0, value));
            }
        );
    }

    [Fact]
    public void One_file_without_index_and_fields_at_the_top_are_a_checkpoint_too()
    {
        var folder = V41Folder.Small(Path);
        var writer = new SafetensorsWriter();
        foreach (var layer in folder.Constants.Layers)
        {
            writer.Add<byte>(
                $"layers.{layer.Layer}.engram.embed.weight",
                DType.F8_E4M3,
                new byte[layer.TotalRows * 32],
                layer.TotalRows,
                32
            );
            writer.Add<byte>($"layers.{layer.Layer}.engram.embed.scale", DType.F8_E8M0, new byte[layer.TotalRows], layer.TotalRows, 1);
        }
        foreach (var file in Directory.GetFiles(Path))
            File.Delete(file);
        writer.Write(System.IO.Path.Combine(Path, "model.safetensors"));
        var configuration = V41Folder.Configuration(folder.Constants, 32);
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), configuration["text_config"]!.ToJsonString());
        using var checkpoint = V41Checkpoint.Open(Path);
        Assert.Equal((2, 32, RowFormat.Float8()), (checkpoint.Tables.Count, checkpoint.Tables[0].Width, checkpoint.Tables[0].Format));
    }

    /// <summary>What the tables do not need may be absent or damaged: it is not opened.</summary>
    [Fact]
    public void Only_the_shards_with_tables_are_opened()
    {
        V41Folder.Small(Path);
        File.WriteAllText(System.IO.Path.Combine(Path, V41Folder.ShardName(1, 3)), "no safetensors file");
        using var checkpoint = V41Checkpoint.Open(Path);
        Assert.Equal(2, checkpoint.Tables.Count);
    }

    [Theory]
    [InlineData("engram_num_embeddings", "[1, 2]", "says 1 rows for layer 1, but its primes have the sum")]
    [InlineData("engram_num_embeddings", "[1]", "lists 2 layers, engram_num_embeddings 1")]
    [InlineData("engram_num_embeddings", "[-1, 5]", "'engram_num_embeddings' is -1")]
    [InlineData("engram_num_embeddings", "7", "no list")]
    [InlineData("engram_layer_ids", "[]", "no list")]
    [InlineData("engram_layer_ids", "[3, 1]", "not strictly ascending")]
    [InlineData("engram_layer_ids", "[1, 4]", "layers.4.engram.embed.weight")]
    [InlineData("engram_layer_ids", "[1, 2147483648]", "'engram_layer_ids' is 2147483648")]
    [InlineData("engram_max_ngram_size", "1", "'engram_max_ngram_size' is 1")]
    [InlineData("engram_max_ngram_size", "2147483647", "'engram_max_ngram_size' is 2147483647")]
    [InlineData("engram_max_ngram_size", "3", "but its primes have the sum")]
    [InlineData("engram_vocab_size", "0", "'engram_vocab_size' is 0")]
    [InlineData("engram_vocab_size", "281474976710656", "but its primes have the sum")]
    [InlineData("engram_vocab_size", "1e300", "'engram_vocab_size' is 1e300")]
    [InlineData("engram_n_heads", "-3", "'engram_n_heads' is -3")]
    [InlineData("engram_n_heads", "2147483647", "segments are possible")]
    [InlineData("engram_n_heads", "\"8\"", "'engram_n_heads' is \"8\"")]
    [InlineData("engram_head_dim", "0", "'engram_head_dim' is 0")]
    [InlineData("engram_head_dim", "128", "of 64 values, but")]
    [InlineData("engram_pad_token_id", "-1", "'engram_pad_token_id' is -1")]
    [InlineData("engram_pad_token_id", "311", "pad id 311")]
    [InlineData("engram_compressed_vocab_size", "0", "'engram_compressed_vocab_size' is 0")]
    [InlineData("engram_compressed_vocab_size", "999999999999", "'engram_compressed_vocab_size' is 999999999999")]
    [InlineData("engram_layer_ids", null, "'engram_layer_ids' is missing")]
    [InlineData("engram_head_dim", null, "'engram_head_dim' is missing")]
    public void Wrong_configurations_are_one_clear_error(string field, string? value, string expected)
    {
        V41Folder.Small(Path);
        var path = System.IO.Path.Combine(Path, "config.json");
        var configuration = JsonNode.Parse(File.ReadAllText(path))!;
        var fields = configuration["text_config"]!.AsObject();
        if (value is null)
            fields.Remove(field);
        else
            fields[field] = JsonNode.Parse(value);
        File.WriteAllText(path, configuration.ToJsonString());
        var error = Assert.Throws<InvalidDataException>(() => V41Checkpoint.Open(Path));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(Path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fields_in_both_places_are_refused()
    {
        var folder = V41Folder.Small(Path);
        var configuration = V41Folder.Configuration(folder.Constants, 64);
        configuration["engram_layer_ids"] = JsonSerializer.SerializeToNode(new[] { 1 });
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), configuration.ToJsonString());
        Assert.Contains("both", Assert.Throws<InvalidDataException>(() => V41Checkpoint.Open(Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_tensors_are_one_clear_error()
    {
        var rows = V41Folder.Small(Path).Constants.Layers[1].TotalRows;
        const string name = "layers.3.engram.embed";
        (string Expected, DType Type, long Rows, long Width, DType? ScaleType, long ScaleRows, long Scales)[] wrong =
        [
            ("but " + System.IO.Path.Combine(Path, "config.json"), DType.F8_E4M3, rows + 1, 64, DType.F8_E8M0, rows + 1, 2),
            ("of 32 values, but", DType.F8_E4M3, rows, 32, DType.F8_E8M0, rows, 1),
            ("rows of fp8/row", DType.F8_E4M3, rows, 64, DType.F8_E8M0, rows, 1),
            ("rows of float32", DType.F32, rows, 64, DType.F8_E8M0, rows, 2),
            ("a table is F32", DType.F8_E5M2, rows, 64, DType.F8_E8M0, rows, 2),
            ($"F8_E8M0 [{rows}, -1] is needed", DType.F8_E4M3, rows, 64, DType.F8_E8M0, rows - 1, 2),
            ($"F8_E8M0 [{rows}, -1] is needed", DType.F8_E4M3, rows, 64, DType.U8, rows, 2),
            ("3 scales for the 64 values", DType.F8_E4M3, rows, 64, DType.F8_E8M0, rows, 3),
            ("is no table", DType.F8_E4M3, 0, 64, DType.F8_E8M0, 0, 2),
            ($"tensor '{name}.scale' is missing", DType.F8_E4M3, rows, 64, null, 0, 0),
        ];
        foreach (var (expected, type, r, width, scaleType, scaleRows, scales) in wrong)
        {
            var writer = new SafetensorsWriter();
            writer.Add(name + ".weight", type, stream => stream.Write(new byte[r * width * (type == DType.F32 ? 4 : 1)]), r, width);
            if (scaleType is { } s)
                writer.Add(name + ".scale", s, stream => stream.Write(new byte[scaleRows * scales]), scaleRows, scales);
            writer.Write(System.IO.Path.Combine(Path, V41Folder.ShardName(3, 3)));
            var error = Assert.Throws<InvalidDataException>(() => V41Checkpoint.Open(Path));
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            Assert.StartsWith(Path, error.Message, StringComparison.Ordinal);
        }
    }

    private static void RequireRows(EngramTable table, long[] rows)
    {
        var gathered = new float[rows.Length * table.Width];
        table.Gather(rows, gathered);
        foreach (var (i, row) in rows.Index())
            for (var column = 0; column < table.Width; column++)
                Assert.Equal(
                    E4M3(V41Folder.Value(row, column)) * Math.Pow(2, V41Folder.Scale(row, column / 32) - 127),
                    gathered[i * table.Width + column]
                );
    }

    private static double E4M3(byte code)
    {
        var (exponent, mantissa) = (code >> 3 & 15, code & 7);
        return (code >= 128 ? -1 : 1) * (exponent == 0 ? mantissa / 512d : (8 + mantissa) * Math.Pow(2, exponent - 10));
    }

    /// <summary>Memory that the mapped files of the checkpoint take: the process as a whole runs other tests too.</summary>
    private long ResidentBytes()
    {
        var folder = $"/{new DirectoryInfo(Path).Parent!.Name}/";
        var (bytes, counts) = (0L, false);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
            if (line.Contains('-')) // addresses: the next mapping
                counts = line.Contains(folder, StringComparison.Ordinal);
            else if (counts && line.StartsWith("Rss:", StringComparison.Ordinal))
                bytes += 1024 * long.Parse(line.Split(' ')[^2], System.Globalization.CultureInfo.InvariantCulture);
        return bytes;
    }

    private bool HolesCostNothing()
    {
        var probe = _folder.File("probe");
        try
        {
            using (var stream = File.Create(probe))
                stream.SetLength(64 << 20);
            return FileIdentity.Of(probe) is { OccupiedBytes: < 1 << 20 };
        }
        finally
        {
            File.Delete(probe);
        }
    }
}
