using System.Globalization;
using System.Text;
using CsCheck;
using Engram.PublishedCheckpoints;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;

namespace Engram.Tests.PublishedCheckpoints;

/// <summary>
/// Whatever is done to a file with tables, to the index or the configuration of a checkpoint: it opens and all of its rows can be read, or
/// there is one error that names a file; no other exception, no crash, no allocation beyond a small constant and what the files hold.
/// ENGRAM_FUZZ_CASES sets the number of cases of each test.
/// </summary>
public sealed class HostileTablesTests : IDisposable
{
    private const long FixedBytes = 1 << 20;
    private const long BytesPerByte = 20;

    private static readonly long Cases = long.Parse(
        Environment.GetEnvironmentVariable("ENGRAM_FUZZ_CASES") ?? "1000",
        CultureInfo.InvariantCulture
    );

    private static readonly string[] Hostile =
    [
        "0",
        "-1",
        "1",
        "2",
        "3",
        "63",
        "64",
        "65",
        "128",
        "255",
        "2147483647",
        "-2147483648",
        "4294967296",
        "9223372036854775807",
        "1e308",
        "0.5",
        "null",
        "true",
        "\"\"",
        "[]",
        "{}",
        "[0]",
        "[1,2,3]",
        "\"F32\"",
        "\"F8_E4M3\"",
        "\"F8_E8M0\"",
        "\"BF16\"",
        "\"../a.safetensors\"",
        "\"/dev/zero\"",
        "\"model-00001-of-00003.safetensors\"",
        "\"model.safetensors.index.json\"",
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly string _checkpoint;

    public HostileTablesTests()
    {
        _checkpoint = _folder.File("checkpoint");
        V41Folder.Small(_checkpoint);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("model-00002-of-00003.safetensors")]
    [InlineData("model-00003-of-00003.safetensors")]
    public void Mutated_checkpoints_open_or_are_one_error(string file)
    {
        var path = Path.Combine(_checkpoint, file);
        Fuzz(path, _checkpoint, File.ReadAllBytes(path));
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    [InlineData("fp8/48")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Mutated_table_files_open_or_are_one_error(string format)
    {
        var path = _folder.File("table.safetensors");
        using (var table = new EngramTable(40, 96, RowFormat.Parse(format)))
        {
            table.Write(0, [.. Enumerable.Range(0, 40 * 96).Select(i => i % 23 / 7f)]);
            table.Save(path, TablePaths.Tensor(1));
        }
        Fuzz(path, path, File.ReadAllBytes(path));
    }

    /// <summary>Every length that a shard can be cut to, as far as its header reaches, and some beyond.</summary>
    [Fact]
    public void Truncated_shards_are_one_error()
    {
        var path = Path.Combine(_checkpoint, V41Folder.ShardName(2, 3));
        var intact = File.ReadAllBytes(path);
        for (var length = 0; length < intact.Length; length += length < 4200 ? 1 : 97)
        {
            File.WriteAllBytes(path, intact[..length]);
            Assert.StartsWith(
                path,
                Assert.Throws<InvalidDataException>(() => TableSource.Open(_checkpoint)).Message,
                StringComparison.Ordinal
            );
        }
        File.WriteAllBytes(path, [.. intact, 0]);
        Assert.Contains(
            "1 bytes follow",
            Assert.Throws<InvalidDataException>(() => TableSource.Open(_checkpoint)).Message,
            StringComparison.Ordinal
        );
        File.Delete(path);
        Assert.Contains(path, Assert.Throws<FileNotFoundException>(() => TableSource.Open(_checkpoint)).Message, StringComparison.Ordinal);
    }

    /// <summary>Two shards with the same table: the one that the index names counts, and only that one is opened.</summary>
    [Fact]
    public void Of_two_shards_with_a_tensor_the_index_decides()
    {
        var index = Path.Combine(_checkpoint, SafetensorsIndex.FileName);
        File.Copy(Path.Combine(_checkpoint, V41Folder.ShardName(2, 3)), Path.Combine(_checkpoint, "copy.safetensors"));
        File.WriteAllText(index, File.ReadAllText(index).Replace(V41Folder.ShardName(2, 3), "copy.safetensors", StringComparison.Ordinal));
        using (var source = TableSource.Open(_checkpoint))
            Assert.EndsWith("copy.safetensors", source.Tables[0].File, StringComparison.Ordinal);
        // Values here, scales there.
        var text = File.ReadAllText(index);
        var second = text.IndexOf(
            "copy.safetensors",
            text.IndexOf("layers.1.engram.embed.scale", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
        File.WriteAllText(index, text[..second] + V41Folder.ShardName(2, 3) + text[(second + "copy.safetensors".Length)..]);
        Assert.True(OpensOrIsRefused(_checkpoint, _checkpoint));
    }

    private void Fuzz(string path, string opened, byte[] intact)
    {
        var header = Math.Min(intact.Length, 1000);
        var values = System
            .Text.RegularExpressions.Regex.Matches(
                Encoding.Latin1.GetString(intact.AsSpan(0, header)),
                "(?<=[:\\[,] ?)(\"[^\"]*\"|[0-9][^,\\]}]*)"
            )
            .Select(match => (match.Index, match.Length))
            .ToArray();
        var (good, bad) = (0, 0);
        Gen.Select(
                Gen.Int[0, 2],
                Gen.Select(Gen.OneOf(Gen.Int[0, header - 1], Gen.Int[0, intact.Length - 1]), Gen.Byte, Gen.Int[0, 4]).Array[1, 4],
                Gen.Select(Gen.Int[0, Math.Max(0, values.Length - 1)], Gen.Int[0, Hostile.Length - 1])
            )
            .Sample(
                (kind, edits, value) =>
                {
                    // A file under a new name, renamed: the old one may be mapped.
                    AtomicFile.WriteAllBytes(
                        path,
                        kind == 0 && values.Length > 0 ? Replace(intact, values[value.Item1], Hostile[value.Item2]) : Mutate(intact, edits)
                    );
                    if (OpensOrIsRefused(opened, _folder.File("")))
                        good++;
                    else
                        bad++;
                },
                iter: Cases,
                threads: 1,
                print: edits => $"{path}: {edits.Item1} {string.Join(' ', edits.Item2)} {edits.Item3}"
            );
        // Damage that never hurts, or always does, would test nothing.
        Assert.True(good > Cases / 100 && bad > Cases / 100, $"{good} opened, {bad} were refused");
        AtomicFile.WriteAllBytes(path, intact);
    }

    /// <returns>Whether it opened.</returns>
    private static bool OpensOrIsRefused(string path, string named)
    {
        var files = File.Exists(path) ? [path] : Directory.GetFiles(path);
        var most = FixedBytes + BytesPerByte * files.Sum(file => new FileInfo(file).Length);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var opened = false;
        try
        {
            using var source = TableSource.Open(path);
            opened = true;
            foreach (var table in source.Tables)
                Assert.Equal(
                    table.Table.Rows,
                    TableVerification.Run(table.Table, cancellation: TestContext.Current.CancellationToken).Rows
                );
        }
        catch (Exception e) when (e is InvalidDataException or FileNotFoundException)
        {
            Assert.Contains(named.TrimEnd('/'), e.Message, StringComparison.Ordinal);
            Assert.True(e.Message.Length < 2000, e.Message);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, most + (2 << 20));
        return opened;
    }

    private static byte[] Replace(byte[] intact, (int Index, int Length) value, string by)
    {
        var json = Encoding.Latin1.GetBytes(by);
        var changed = new List<byte>(intact);
        changed.RemoveRange(value.Index, value.Length);
        changed.InsertRange(value.Index, json);
        // The length before a safetensors header goes with it; padding would end elsewhere, which only a reader that trusts it would
        // notice.
        if (intact[0] != '{')
        {
            var length = BitConverter.ToInt64(intact) + json.Length - value.Length;
            for (var i = 0; i < 8; i++)
                changed[i] = (byte)(length >> 8 * i);
        }
        return [.. changed];
    }

    private static byte[] Mutate(byte[] intact, (int At, byte Value, int Kind)[] edits)
    {
        var bytes = new List<byte>(intact);
        foreach (var (at, value, kind) in edits)
        {
            if (bytes.Count == 0)
                break;
            var place = at % bytes.Count;
            if (kind == 0)
                bytes[place] = value;
            else if (kind == 1)
                bytes[place] ^= (byte)(1 << value % 8);
            else if (kind == 2)
                bytes.Insert(place, value);
            else if (kind == 3)
                bytes.RemoveRange(place, Math.Min(1 + value % 4, bytes.Count - place));
            else if (value < 32)
                bytes.RemoveRange(place, bytes.Count - place);
        }
        return [.. bytes];
    }
}
