using CsCheck;
using Engram.Corpora;
using Engram.Tests.Storage;

namespace Engram.Tests.Corpora;

public sealed class TokenShardTests : IDisposable
{
    private static readonly string Fingerprint = string.Concat(Enumerable.Range(0, 32).Select(i => i.ToString("x2")));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_MatchTheGoldenBytes()
    {
        Write(
            vocabulary: 4096,
            [
                [5, 6, 4095],
                [],
                [258],
            ]
        );
        Assert.Equal(
            "454E4752544F4B00"
                + "01000000"
                + "02000000"
                + "0700000000000000"
                + "0300000000000000"
                + "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
                + "000005000600FF0F000000000201",
            Convert.ToHexString(File.ReadAllBytes(_folder.File("train-0000.tok")))
        );
        Assert.Equal(
            "000000000000000004000000000000000500000000000000",
            Convert.ToHexString(File.ReadAllBytes(_folder.File("train-0000.doc")))
        );

        Write(
            vocabulary: 65537,
            [
                [65536],
            ]
        );
        Assert.Equal(
            "0400000002000000000000000100000000000000",
            Convert.ToHexString(File.ReadAllBytes(_folder.File("train-0000.tok"))[12..32])
        );
        Assert.Equal("0000000000000100", Convert.ToHexString(File.ReadAllBytes(_folder.File("train-0000.tok"))[64..]));
    }

    [Fact]
    public void Stream_ReturnsWhatWasWritten_AcrossShards()
    {
        var corpora = Gen.Select(Gen.Bool, Gen.Int[1, 40])
            .SelectMany(
                (wide, idsPerShard) =>
                    Gen.Int[0, wide ? 99999 : 65535].Array[0, 12].Array[1, 12].Select(documents => (wide, idsPerShard, documents))
            );
        corpora.Sample(
            (wide, idsPerShard, documents) =>
            {
                using var folder = new TemporaryFolder();
                var vocabulary = wide ? 100000 : 65536;
                using var writer = new TokenShardWriter(folder.File(""), "train", Fingerprint, vocabulary, endOfText: 3, idsPerShard);
                foreach (var document in documents)
                    writer.Append(document);
                writer.Complete();
                using var stream = TokenStream.Open(writer.Shards.Select(folder.File), Fingerprint, vocabulary);

                int[] ids = [.. documents.SelectMany(document => document.Prepend(3))];
                bool[] starts = [.. documents.SelectMany(document => document.Select(_ => false).Prepend(true))];
                Assert.Equal((ids.Length, documents.Length), (stream.Count, stream.Documents));
                Assert.Equal(ids.Length, writer.TotalCount);
                for (var start = 0; start <= ids.Length; start++)
                    foreach (var length in (int[])[0, 1, Math.Min(7, ids.Length - start), ids.Length - start])
                    {
                        if (start + length > ids.Length)
                            continue;
                        var readIds = new int[length];
                        var readStarts = new bool[length];
                        Array.Fill(readStarts, true);
                        stream.CopyTo(start, readIds);
                        stream.CopyDocumentStartsTo(start, readStarts);
                        Assert.Equal(ids[start..(start + length)], readIds);
                        Assert.Equal(starts[start..(start + length)], readStarts);
                    }
            },
            iter: 100
        );
    }

    [Fact]
    public void Reading_OutsideTheStream_IsAnError()
    {
        Write(
            vocabulary: 10,
            [
                [1, 2],
            ]
        );
        using var stream = TokenStream.Open([_folder.File("train-0000.tok")], Fingerprint, 10);
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.CopyTo(-1, new int[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.CopyTo(2, new int[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.CopyTo(long.MaxValue, new int[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.CopyDocumentStartsTo(3, new bool[1]));
        stream.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.CopyTo(0, new int[1]));
    }

    [Fact]
    public void AnyChangedByte_GivesOneClearErrorOrOtherIds()
    {
        Write(
            vocabulary: 300,
            [
                [5, 6, 299],
                [7],
                [258, 8],
            ]
        );
        var path = _folder.File("train-0000.tok");
        var files = new[] { path, _folder.File("train-0000.doc") };
        var original = files.Select(File.ReadAllBytes).ToArray();
        Gen.Select(Gen.Int[0, 1], Gen.Int[0, 200], Gen.Byte, Gen.Int[0, 3])
            .Sample(
                (which, position, value, kind) =>
                {
                    var bytes = original[which].ToArray();
                    position %= bytes.Length;
                    bytes = kind switch
                    {
                        0 => [.. bytes[..position], (byte)(bytes[position] ^ Math.Max((byte)1, value)), .. bytes[(position + 1)..]],
                        1 => bytes[..position],
                        2 => [.. bytes, value],
                        _ => [.. bytes[..position], .. bytes[Math.Min(bytes.Length, position + 8)..]],
                    };
                    // A mapped file cannot be replaced in place everywhere; each case gets names of its own.
                    using var folder = new TemporaryFolder();
                    File.WriteAllBytes(folder.File("train-0000.tok"), which == 0 ? bytes : original[0]);
                    File.WriteAllBytes(folder.File("train-0000.doc"), which == 1 ? bytes : original[1]);
                    try
                    {
                        using var stream = TokenStream.Open([folder.File("train-0000.tok")], Fingerprint, 300);
                        stream.CopyTo(0, new int[stream.Count]);
                        stream.CopyDocumentStartsTo(0, new bool[stream.Count]);
                        // Only an id, or where a document starts, can change unnoticed; sizes cannot.
                        Assert.Equal(0, kind);
                        Assert.True(which == 1 || position >= TokenShard.HeaderBytes);
                    }
                    catch (InvalidDataException error)
                    {
                        Assert.Contains("train-0000", error.Message);
                    }
                },
                iter: 2000,
                threads: 1
            );
    }

    [Theory]
    [InlineData(0, 0x45, "does not begin with ENGRTOK")]
    [InlineData(8, 0x03, "version 2; this program reads version 1")]
    [InlineData(12, 0x01, "3 bytes per id")]
    [InlineData(16, 0x01, "promises")]
    [InlineData(24, 0x01, "do not hold the starts of")]
    [InlineData(32, 0x01, "made with the tokenizer 01010203")]
    [InlineData(65, 0x10, "id 4096 between 0 and 4 is not in the vocabulary of 300")]
    public void DamagedHeader_IsNamed(int position, byte flip, string message)
    {
        Write(
            vocabulary: 300,
            [
                [5, 6, 299],
            ]
        );
        var path = _folder.File("train-0000.tok");
        var bytes = File.ReadAllBytes(path);
        bytes[position] ^= flip;
        File.WriteAllBytes(path, bytes);
        var error = Assert.Throws<InvalidDataException>(() =>
        {
            using var shard = TokenShard.Open(path, Fingerprint, 300);
            shard.CopyTo(0, new int[4]);
        });
        Assert.StartsWith(Path.ChangeExtension(path, null), error.Message);
        Assert.Contains(message, error.Message);
    }

    [Fact]
    public void MissingFiles_AreNamed()
    {
        Assert.Contains(
            "absent.tok",
            Assert.Throws<FileNotFoundException>(() => TokenShard.Open(_folder.File("absent.tok"), Fingerprint, 10)).Message
        );
        Write(
            vocabulary: 10,
            [
                [1],
            ]
        );
        File.Delete(_folder.File("train-0000.doc"));
        Assert.Contains(
            "train-0000.doc",
            Assert.Throws<FileNotFoundException>(() => TokenShard.Open(_folder.File("train-0000.tok"), Fingerprint, 10)).Message
        );
    }

    [Fact]
    public void Writer_RefusesIdsOutsideTheVocabulary_AndLeavesNothingUnfinished()
    {
        using (var writer = new TokenShardWriter(_folder.File(""), "train", Fingerprint, 10, endOfText: 0, idsPerShard: 2))
        {
            writer.Append([1, 2]);
            writer.Append([3]);
            Assert.Throws<ArgumentOutOfRangeException>(() => writer.Append([10]));
            Assert.Throws<ArgumentOutOfRangeException>(() => writer.Append([-1]));
        }
        Assert.Equal(["train-0000.doc", "train-0000.tok"], _folder.Names());
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenShardWriter(_folder.File(""), "x", Fingerprint, 10, endOfText: 10));
        Assert.Throws<ArgumentException>(() => new TokenShardWriter(_folder.File(""), "x", "00", 10, endOfText: 0));
    }

    private void Write(int vocabulary, int[][] documents)
    {
        using var writer = new TokenShardWriter(_folder.File(""), "train", Fingerprint, vocabulary, endOfText: 0);
        foreach (var document in documents)
            writer.Append(document);
        writer.Complete();
    }
}
