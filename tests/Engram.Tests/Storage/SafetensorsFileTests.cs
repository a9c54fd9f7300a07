using System.Buffers.Binary;
using System.Text;
using Engram.Storage;

namespace Engram.Tests.Storage;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File1 => _folder.File("x.safetensors");

    public void Dispose() => _folder.Dispose();

    /// <summary>The header of one published example of the format, with the conventional metadata off.</summary>
    [Fact]
    public void Bytes_equal_the_reference_implementations_example()
    {
        var writer = new SafetensorsWriter();
        writer.Metadata.Clear();
        writer.Add<float>("attn.0", DType.F32, [0, 1, 2, 3, 4, 5], 1, 2, 3);
        writer.Write(File1);

        byte[] expected =
        [
            64,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            .. """{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}"""u8,
            0,
            0,
            0,
            0,
            0,
            0,
            0x80,
            0x3F,
            0,
            0,
            0,
            0x40,
            0,
            0,
            0x40,
            0x40,
            0,
            0,
            0x80,
            0x40,
            0,
            0,
            0xA0,
            0x40,
        ];
        Assert.Equal(expected, File.ReadAllBytes(File1));
    }

    [Fact]
    public void Types_then_names_order_the_file_whatever_the_order_of_adding()
    {
        Action<SafetensorsWriter>[] adds =
        [
            w => w.Add<bool>("flag", DType.BOOL, [true]),
            w => w.Add<ushort>("b", DType.BF16, [0x3F80, 0x4000], 2),
            w => w.Add<ushort>("B", DType.BF16, [0x4040], 1, 1),
            w => w.Add<ulong>("u", DType.U64, [ulong.MaxValue], 1),
            w => w.Add<byte>("none", DType.F8_E4M3, [], 0, 256),
        ];
        var written = new byte[adds.Length][];
        for (var first = 0; first < adds.Length; first++)
        {
            var writer = new SafetensorsWriter { Metadata = { ["author"] = "Zoë \"Z\"" } };
            for (var i = 0; i < adds.Length; i++)
                adds[(first + i) % adds.Length](writer);
            Assert.Equal(0, writer.Write(File1) % 8);
            written[first] = File.ReadAllBytes(File1);
        }

        const string header = """
            {"__metadata__":{"author":"Zoë \"Z\"","format":"pt"},
            "u":{"dtype":"U64","shape":[1],"data_offsets":[0,8]},
            "B":{"dtype":"BF16","shape":[1,1],"data_offsets":[8,10]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[10,14]},
            "none":{"dtype":"F8_E4M3","shape":[0,256],"data_offsets":[14,14]},"flag":{"dtype":"BOOL","shape":[],"data_offsets":[14,15]}}
            """;
        var json = Encoding.UTF8.GetBytes(header.ReplaceLineEndings(""));
        var padding = -json.Length & 7;
        var length = json.Length + padding;
        byte[] expected =
        [
            (byte)length,
            (byte)(length >> 8),
            0,
            0,
            0,
            0,
            0,
            0,
            .. json,
            .. Enumerable.Repeat((byte)' ', padding),
            255,
            255,
            255,
            255,
            255,
            255,
            255,
            255,
            0x40,
            0x40,
            0x80,
            0x3F,
            0x00,
            0x40,
            1,
        ];
        Assert.All(written, bytes => Assert.Equal(expected, bytes));
    }

    [Fact]
    public void Every_type_survives_a_round_trip_bit_for_bit()
    {
        var writer = new SafetensorsWriter();
        uint[] singles = [0x7FC0_0001, 0xFF80_0000, 0x8000_0000, 0x0000_0001, 0xFFFF_FFFF]; // NaNs with payload, −∞, −0, a denormal
        writer.Add<float>("F32", DType.F32, [.. singles.Select(BitConverter.UInt32BitsToSingle)], 5);
        writer.Add<double>("F64", DType.F64, [BitConverter.UInt64BitsToDouble(0x7FF0_0000_0000_0001), -0.0], 2);
        writer.Add<Half>("F16", DType.F16, [BitConverter.UInt16BitsToHalf(0x7E01), Half.Epsilon], 1, 2);
        writer.Add<ushort>("BF16", DType.BF16, [0x7FC1, 0x8000], 2);
        writer.Add<long>("I64", DType.I64, [long.MinValue], 1);
        writer.Add<ulong>("U64", DType.U64, [ulong.MaxValue], 1);
        writer.Add<int>("I32", DType.I32, [int.MinValue, -1], 2);
        writer.Add<uint>("U32", DType.U32, [uint.MaxValue], 1);
        writer.Add<short>("I16", DType.I16, [short.MinValue], 1);
        writer.Add<ushort>("U16", DType.U16, [ushort.MaxValue], 1);
        writer.Add<sbyte>("I8", DType.I8, [sbyte.MinValue], 1);
        writer.Add<byte>("U8", DType.U8, [255], 1);
        writer.Add<bool>("BOOL", DType.BOOL, [true, false], 2);
        DType[] bytes = [DType.F8_E4M3, DType.F8_E5M2, DType.F8_E8M0, DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ];
        foreach (var type in bytes)
            writer.Add<byte>(type.ToString(), type, [0x7F, 0x80], 2);
        writer.Add<byte>("F4", DType.F4, [1, 2, 3], 3, 2);
        writer.Add<byte>("F6_E2M3", DType.F6_E2M3, [1, 2, 3], 4);
        writer.Add<byte>("F6_E3M2", DType.F6_E3M2, [1, 2, 3], 2, 2);
        unsafe
        {
            double* complex = stackalloc double[] { 1, 2 };
            writer.Add("C64", DType.C64, complex, 2);
        }
        writer.Write(File1);

        using var file = SafetensorsFile.Open(File1);
        Assert.Equal(Enum.GetNames<DType>().Order(), file.Tensors.Keys.Order());
        Assert.All(file.Tensors.Values, tensor => Assert.Equal(tensor.Name, tensor.DType.ToString()));
        var read = new float[5];
        file.CopyTo<float>("F32", read, 5);
        Assert.Equal(singles, read.Select(BitConverter.SingleToUInt32Bits));
        var doubles = new double[2];
        file.CopyTo<double>("F64", doubles);
        Assert.Equal(0x7FF0_0000_0000_0001UL, BitConverter.DoubleToUInt64Bits(doubles[0]));
        var halves = new Half[2];
        file.CopyTo<Half>("F16", halves, 1, -1);
        Assert.Equal(0x7E01, BitConverter.HalfToUInt16Bits(halves[0]));
        var brains = new ushort[2];
        file.CopyTo<ushort>("BF16", brains);
        Assert.Equal([0x7FC1, 0x8000], brains);
        Assert.Equal([0x7F, 0x80], file.Bytes("F8_E4M3").ToArray());
        Assert.Equal([1, 2, 3], file.Bytes("F6_E3M2").ToArray());
        Assert.Equal(4, file.Tensors["F6_E3M2"].ElementCount);
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public void Scalars_and_empty_tensors_are_valid()
    {
        var writer = new SafetensorsWriter();
        writer.Add<float>("scalar", DType.F32, [42]);
        writer.Add<float>("empty", DType.F32, [], 3, 0, 2);
        writer.Write(File1);

        using var file = SafetensorsFile.Open(File1);
        Assert.Empty(file.Tensors["scalar"].Shape);
        Assert.Equal(1, file.Tensors["scalar"].ElementCount);
        Assert.Equal([3L, 0, 2], file.Tensors["empty"].Shape);
        Assert.True(file.Bytes("empty").IsEmpty);
        file.CopyTo<float>("empty", [], 3, 0, 2);
        Assert.Equal([42f], Read<float>(file, "scalar", 1));
    }

    [Fact]
    public void Wrong_type_shape_length_or_name_names_both_sides()
    {
        var writer = new SafetensorsWriter();
        writer.Add<float>("w", DType.F32, [1, 2, 3, 4, 5, 6], 2, 3);
        writer.Write(File1);

        using var file = SafetensorsFile.Open(File1);
        Assert.Equal("w", file.Require("w", DType.F32, 2, -1).Name);
        Expect("tensor 'w' is F32 [2, 3]; F32 [3, 2] is needed", () => file.Require("w", DType.F32, 3, 2));
        Expect("tensor 'w' is F32 [2, 3]; F32 [6] is needed", () => file.CopyTo("w", new float[6], 6));
        Expect("tensor 'w' is F32 [2, 3]; BF16 [2, 3] is needed", () => file.Require("w", DType.BF16, 2, 3));
        Expect("'w' is F32, which cannot be read as Int32", () => file.CopyTo("w", new int[6]));
        Expect("has 24 bytes; 20 are needed", () => file.CopyTo("w", new float[5]));
        Expect("no tensor 'v'", () => file.Bytes("v"));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes("w", 20, 5).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes("w", -1, 5).Length);
        Assert.Equal(5, file.Bytes("w", 19, 5).Length);

        void Expect(string message, Action action)
        {
            var error = Assert.Throws<InvalidDataException>(action);
            Assert.StartsWith(File1, error.Message, StringComparison.Ordinal);
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_tensor_that_is_streamed_in_pieces_arrives_whole()
    {
        var values = Enumerable.Range(0, 100_000).ToArray();
        var writer = new SafetensorsWriter();
        writer.Add(
            "w",
            DType.I32,
            stream =>
            {
                for (var i = 0; i < values.Length; i += 1000)
                    stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan(i, 1000)));
            },
            values.Length
        );
        writer.Add<byte>("last", DType.U8, [9]);
        writer.Write(File1);

        using var file = SafetensorsFile.Open(File1);
        Assert.Equal(values, Read<int>(file, "w", values.Length));
        Assert.Equal([9], file.Bytes("last").ToArray());
    }

    [Theory]
    [InlineData(7)]
    [InlineData(9)]
    public void A_stream_of_the_wrong_length_fails_and_leaves_the_old_file(int given)
    {
        File.WriteAllText(File1, "old");
        var writer = new SafetensorsWriter();
        writer.Add("w", DType.F32, stream => stream.Write(new byte[given]), 2);
        Assert.Contains(
            $"needs 8 bytes and was given {given}",
            Assert.Throws<InvalidOperationException>(() => writer.Write(File1)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("old", File.ReadAllText(File1));
        Assert.Equal(["x.safetensors"], _folder.Names());
    }

    [Fact]
    public void Impossible_tensors_are_refused_when_added()
    {
        var writer = new SafetensorsWriter();
        writer.Add<byte>("a", DType.U8, [1], 1);
        Assert.Throws<ArgumentException>(() => writer.Add<byte>("a", DType.U8, [1], 1));
        Assert.Throws<ArgumentException>(() => writer.Add<byte>("__metadata__", DType.U8, [1], 1));
        Assert.Throws<ArgumentException>(() => writer.Add<byte>(new string('n', 1025), DType.U8, [1], 1));
        Assert.Throws<ArgumentException>(() => writer.Add<byte>("b", DType.U8, [1], 2));
        Assert.Throws<ArgumentException>(() => writer.Add<float>("b", DType.F64, [1, 2], 1));
        Assert.Throws<ArgumentException>(() => writer.Add("b", DType.F4, _ => { }, 3));
        Assert.Throws<ArgumentException>(() => writer.Add("b", DType.F64, _ => { }, long.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Add("b", DType.F64, _ => { }, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Add("b", (DType)99, _ => { }, 1));
    }

    [Fact]
    public void A_file_can_be_replaced_while_it_is_mapped()
    {
        Write([1, 2]);
        using var old = SafetensorsFile.Open(File1);
        Write([3, 4]);
        using var current = SafetensorsFile.Open(File1);
        Assert.Equal([1, 2], old.Bytes("w").ToArray());
        Assert.Equal([3, 4], current.Bytes("w").ToArray());

        void Write(byte[] values)
        {
            var writer = new SafetensorsWriter();
            writer.Add<byte>("w", DType.U8, values, 2);
            writer.Write(File1);
        }
    }

    [Fact]
    public void After_disposal_nothing_is_handed_out()
    {
        var writer = new SafetensorsWriter();
        writer.Add<byte>("w", DType.U8, [1], 1);
        writer.Write(File1);
        var file = SafetensorsFile.Open(File1);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Bytes("w").Length);
    }

    /// <summary>Two tensors of more than 2³¹ bytes each in a sparse file: 64-bit arithmetic throughout.</summary>
    [Fact]
    public unsafe void Tensors_beyond_2_GiB_are_read_at_64_bit_offsets()
    {
        const long first = 3L << 30,
            second = (1L << 31) + 4;
        var json = Encoding.UTF8.GetBytes(
            $$$"""{"a":{"dtype":"F32","shape":[{{{first / 4}}}],"data_offsets":[0,{{{first}}}]},"b":{"dtype":"U8","shape":[{{{second}}}],"data_offsets":[{{{first}}},{{{first + second}}}]}}"""
        );
        var start = 8 + json.Length;
        using (var stream = File.Create(File1))
        {
            var prefix = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(prefix, json.Length);
            stream.Write(prefix);
            stream.Write(json);
            stream.SetLength(start + first + second);
            stream.Position = start + first - 4;
            stream.Write(BitConverter.GetBytes(1.5f));
            stream.Position = start + first + second - 1;
            stream.WriteByte(77);
        }

        using var file = SafetensorsFile.Open(File1);
        Assert.Equal(1.5f, *(float*)(file.Pointer("a") + first - 4));
        Assert.Equal(1.5f, BitConverter.ToSingle(file.Bytes("a", first - 4, 4)));
        Assert.Equal(77, file.Bytes("b", second - 1, 1)[0]);
        Assert.Equal(start + first, file.Tensors["b"].Offset);
        Assert.Throws<ArgumentException>(() => file.Bytes("a").Length);
    }

    private static T[] Read<T>(SafetensorsFile file, string name, int length)
        where T : unmanaged
    {
        var values = new T[length];
        file.CopyTo<T>(name, values);
        return values;
    }
}
