using System.Buffers.Binary;
using System.IO.Pipes;
using System.Text;
using Engram.Storage;

namespace Engram.Tests.Storage;

/// <summary>Damaged and hostile files: each is refused with one clear message that names the file.</summary>
public sealed class SafetensorsValidationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private const string Good = """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""";

    public static TheoryData<string, string, int, string> Refused =>
        new()
        {
            { "not JSON", "{ nonsense", 0, "not JSON" },
            { "array as root", "[]", 0, "start with '{'" },
            { "empty header", "", 0, "start with '{'" },
            { "leading space", " " + Good, 2, "start with '{'" },
            { "line break after the header", Good + "\n", 2, "something else than spaces" },
            { "text after the header", Good + "{}", 2, "something else than spaces" },
            { "comment", """{/**/}""", 0, "not JSON" },
            { "trailing comma", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},}""", 2, "not JSON" },
            { "unfinished", Good[..^1], 2, "not JSON" },
            { "half a surrogate pair", """{"\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2, "not JSON" },
            { "depth", """{"a":[[[[[[[[[[]]]]]]]]]]}""", 0, "not an object" },
            { "entry is a number", """{"a":1}""", 0, "not an object" },
            {
                "tensor twice",
                """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""",
                2,
                "'a' is listed twice"
            },
            {
                "tensor twice, written differently",
                """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""",
                2,
                "'a' is listed twice"
            },
            { "field twice", """{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2, "two fields 'dtype'" },
            { "unknown field", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"x":0}}""", 2, "unknown field 'x'" },
            { "no dtype", """{"a":{"shape":[2],"data_offsets":[0,2]}}""", 2, "lacks dtype" },
            { "no shape", """{"a":{"dtype":"U8","data_offsets":[0,2]}}""", 2, "lacks shape" },
            { "no offsets", """{"a":{"dtype":"U8","shape":[2]}}""", 2, "lacks data_offsets" },
            { "unknown dtype", """{"a":{"dtype":"F128","shape":[2],"data_offsets":[0,2]}}""", 2, "unknown dtype 'F128'" },
            { "dtype by number", """{"a":{"dtype":"4","shape":[2],"data_offsets":[0,2]}}""", 2, "unknown dtype '4'" },
            { "dtype in lower case", """{"a":{"dtype":"u8","shape":[2],"data_offsets":[0,2]}}""", 2, "unknown dtype 'u8'" },
            { "dtype no string", """{"a":{"dtype":4,"shape":[2],"data_offsets":[0,2]}}""", 2, "dtype that is not a string" },
            { "shape no array", """{"a":{"dtype":"U8","shape":2,"data_offsets":[0,2]}}""", 2, "shape that is not an array" },
            { "negative size", """{"a":{"dtype":"U8","shape":[-2,-1],"data_offsets":[0,2]}}""", 2, "whole numbers" },
            { "fractional size", """{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}""", 2, "whole numbers" },
            { "size beyond 63 bits", """{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,2]}}""", 2, "whole numbers" },
            { "size null", """{"a":{"dtype":"U8","shape":[null],"data_offsets":[0,2]}}""", 2, "whole numbers" },
            { "one offset", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[2]}}""", 2, "1 data_offsets" },
            { "three offsets", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1,2]}}""", 2, "3 data_offsets" },
            { "reversed offsets", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}""", 2, "ends before" },
            { "negative offset", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}}""", 2, "whole numbers" },
            {
                "no bytes for a shape that needs some",
                """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,0]}}""",
                0,
                "needs 2 bytes and has 0"
            },
            { "too few bytes for the shape", """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "needs 8 bytes and has 4" },
            { "too many bytes for the shape", """{"a":{"dtype":"U8","shape":[],"data_offsets":[0,2]}}""", 2, "needs 1 bytes and has 2" },
            {
                "shape product beyond 63 bits",
                """{"a":{"dtype":"U8","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""",
                0,
                "63-bit"
            },
            { "bits beyond 63 bits", """{"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}}""", 0, "63-bit" },
            { "half a byte", """{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}""", 2, "no whole number of bytes" },
            { "hole at the start", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""", 3, "a hole" },
            {
                "hole",
                """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}""",
                5,
                "a hole"
            },
            {
                "overlap",
                """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""",
                3,
                "an overlap"
            },
            { "incomplete buffer", Good, 1, "truncated" },
            { "bytes after the last tensor", Good, 3, "1 bytes follow" },
            { "bytes without a tensor", "{}", 1, "1 bytes follow" },
            {
                "offset far beyond the file",
                """{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""",
                2,
                "63-bit"
            },
            { "metadata with a number", """{"__metadata__":{"x":1}}""", 0, "'x' is not a string" },
            { "metadata no object", """{"__metadata__":null}""", 0, "not an object" },
            { "metadata twice", """{"__metadata__":{},"__metadata__":{}}""", 0, "listed twice" },
            { "metadata key twice", """{"__metadata__":{"x":"1","x":"2"}}""", 0, "'x' is listed twice" },
        };

    [Theory, MemberData(nameof(Refused))]
    public void A_broken_rule_is_named(string rule, string header, int bytes, string expected)
    {
        Assert.NotEmpty(rule);
        var error = Assert.Throws<InvalidDataException>(() => Open(Compose(header, bytes)));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(_folder.File("x.safetensors"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_tensors_over_the_same_bytes_are_refused()
    {
        var entries = Enumerable
            .Range(0, 10_000)
            .Select(i =>
                $$"""
                    "t{{i}}":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}
                    """
            );
        var error = Assert.Throws<InvalidDataException>(() => Open(Compose($"{{{string.Join(',', entries)}}}", 4_000_000)));
        Assert.Contains("an overlap", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void A_file_shorter_than_its_prefix_is_refused(int length) =>
        Assert.Contains("too few", Assert.Throws<InvalidDataException>(() => Open(new byte[length])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(100_000_001UL, "are allowed")]
    [InlineData(ulong.MaxValue, "are allowed")]
    [InlineData(100_000_000UL, "truncated")]
    [InlineData(93UL, "truncated")]
    public void A_header_length_beyond_limit_or_file_is_refused_before_anything_is_allocated(ulong headerLength, string expected)
    {
        var file = new byte[100];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerLength);
        var path = Store(file);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Record.Exception(() => SafetensorsFile.Open(path));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Contains(expected, Assert.IsType<InvalidDataException>(error).Message, StringComparison.Ordinal);
        Assert.InRange(allocated, 0, 1_000_000);
    }

    [Fact]
    public void A_header_that_is_not_UTF8_is_refused()
    {
        var file = Compose("""{"a?":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2);
        file[Array.IndexOf(file, (byte)'?')] = 0xFF;
        Assert.Contains("not UTF-8", Assert.Throws<InvalidDataException>(() => Open(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_longer_than_the_limit_is_refused_and_one_at_the_limit_is_not()
    {
        string Header(int length) => $$$"""{"{{{new string('n', length)}}}":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""";
        using (var file = Open(Compose(Header(1024), 2)))
            Assert.Single(file.Tensors);
        Assert.Contains(
            "1025 characters",
            Assert.Throws<InvalidDataException>(() => Open(Compose(Header(1025), 2))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void White_space_around_the_header_is_accepted_on_request()
    {
        var path = Store(Compose("\n " + Good + " \n", 2));
        using var file = SafetensorsFile.Open(path, lenient: true);
        Assert.Equal(new byte[2], file.Bytes("a").ToArray());
        Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(Store(Compose(Good + "\n{}", 2)), lenient: true));
    }

    [Fact]
    public void Missing_files_and_folders_are_not_found()
    {
        Assert.Contains(
            "none.safetensors",
            Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_folder.File("none.safetensors"))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_folder.File("none/none.safetensors")));
        Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_folder.File("")));
    }

    [Fact]
    public void A_pipe_is_refused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Opens a pipe through /proc.");
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        pipe.Write(Compose(Good, 2));
        var path = $"/proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()}";
        Assert.Contains(
            "not a regular file",
            Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>
    /// Random damage to a real file: it either opens, and then every tensor can be read to its last byte, or is refused as invalid; nothing
    /// else, and memory stays small.
    /// </summary>
    [Fact]
    public void Random_damage_never_crashes()
    {
        var writer = new SafetensorsWriter { Metadata = { ["note"] = "é\"\\" } };
        writer.Add<float>("layers.1.weight", DType.F32, [1, 2, 3, 4, 5, 6], 2, 3);
        writer.Add<long>("ids", DType.I64, [7, 8], 2);
        writer.Add<byte>("packed", DType.F4, [1, 2], 4);
        writer.Add<ushort>("empty", DType.BF16, [], 0, 5);
        var path = _folder.File("seed.safetensors");
        writer.Write(path);
        var original = File.ReadAllBytes(path);
        byte[] interesting = [.. "{}[]\",:0123456789-.eE \\nul\t\0"u8, 0x80, 0xFF];

        var random = new Random(20260112);
        var (opened, refused) = (0, 0);
        for (var round = 0; round < 3_000; round++)
        {
            var damaged = original.ToList();
            for (var edits = random.Next(1, 4); edits > 0; edits--)
            {
                var at = random.Next(damaged.Count);
                var value = interesting[random.Next(interesting.Length)];
                switch (random.Next(5))
                {
                    case 0:
                        damaged[at] = (byte)random.Next(256);
                        break;
                    case 1:
                        damaged[at] = value;
                        break;
                    case 2:
                        damaged.Insert(at, value);
                        break;
                    case 3:
                        damaged.RemoveAt(at);
                        break;
                    default:
                        damaged.RemoveRange(at, Math.Min(random.Next(32), damaged.Count - at));
                        break;
                }
                if (damaged.Count == 0)
                    break;
            }
            File.WriteAllBytes(path, [.. damaged]);

            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var file = SafetensorsFile.Open(path);
                foreach (var name in file.Tensors.Keys)
                    file.Bytes(name).ToArray();
                opened++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, damaged.Count + 1_000_000);
        }
        // Damage to data bytes alone leaves a valid file, so both happen often.
        Assert.True(opened > 50 && refused > 1_500, $"{opened} opened, {refused} refused");
    }

    private SafetensorsFile Open(byte[] file) => SafetensorsFile.Open(Store(file));

    private string Store(byte[] file)
    {
        var path = _folder.File("x.safetensors");
        File.WriteAllBytes(path, file);
        return path;
    }

    private static byte[] Compose(string header, int bytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + bytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)json.Length);
        json.CopyTo(file, 8);
        return file;
    }
}
