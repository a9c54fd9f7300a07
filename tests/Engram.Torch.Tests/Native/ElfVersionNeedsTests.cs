using System.Buffers.Binary;
using Engram.Torch.Native;

namespace Engram.Torch.Tests.Native;

public class ElfVersionNeedsTests
{
    [Fact]
    public void Weakening_changes_the_flag_of_that_version_alone()
    {
        var (before, after) = (SmallImage(), SmallImage());

        Assert.Equal(1, ElfVersionNeeds.MakeWeak(after, "V_3"));

        Assert.Equal([(Aux(2) + 4, (byte)2)], Differences(before, after));
    }

    [Fact]
    public void Rebinding_copies_hash_and_name_and_leaves_flags_and_index()
    {
        var (before, after) = (SmallImage(), SmallImage());

        Assert.Equal(1, ElfVersionNeeds.Rebind(after, "V_2", "V_1"));

        Assert.Equal([(Aux(1), (byte)0xA1), (Aux(1) + 8, (byte)1)], Differences(before, after));
        Assert.Equal(["V_1", "V_1", "V_3"], ElfVersionNeeds.Read(after).Select(n => n.Version));
    }

    [Fact]
    public void Versions_the_image_does_not_name_change_nothing()
    {
        var (before, after) = (SmallImage(), SmallImage());

        Assert.Equal(0, ElfVersionNeeds.MakeWeak(after, "V_4"));
        Assert.Equal(0, ElfVersionNeeds.Rebind(after, "V_2", "V_4"));
        Assert.Equal(0, ElfVersionNeeds.Rebind(after, "V_4", "V_1"));

        Assert.Equal(before, after);
    }

    [Fact]
    public void Big_endian_32_bit_and_foreign_files_are_refused()
    {
        var bigEndian = SmallImage();
        bigEndian[5] = 2;
        var bits32 = SmallImage();
        bits32[4] = 1;
        byte[][] images = [bigEndian, bits32, new byte[64], [.. "MZ"u8], []];
        foreach (var image in images)
            Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.MakeWeak(image, "V_3"));
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        var image = SmallImage();
        for (var length = 0; length < image.Length; length++)
        {
            var cut = image[..length];
            Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Read(cut));
        }
    }

    [Fact]
    public void Damaged_bytes_never_cause_another_error_or_an_endless_loop()
    {
        var random = new Random(1);
        for (var trial = 0; trial < 20_000; trial++)
        {
            var image = SmallImage();
            for (var k = random.Next(1, 4); k > 0; k--)
                image[random.Next(image.Length)] = (byte)random.Next(256);
            var found = 0;
            var error = Record.Exception(() => found = ElfVersionNeeds.Read(image).Count);
            Assert.True(error is null or InvalidDataException, $"{error}");
            Assert.True(found <= ushort.MaxValue * 2);
        }
    }

    [Fact]
    public void The_shipped_bridge_needs_exactly_one_record_per_edit()
    {
        var bridge = LibTorchFolder.FindBridge();
        var before = File.ReadAllBytes(bridge);
        var after = (byte[])before.Clone();

        Assert.Equal(1, ElfVersionNeeds.MakeWeak(after, "GLIBCXX_3.4.32"));
        Assert.Single(Differences(before, after));
        Assert.Equal(1, ElfVersionNeeds.Rebind(after, "GLIBCXX_3.4.30", "GLIBCXX_3.4.11"));

        var needs = ElfVersionNeeds.Read(before);
        var rebound = needs.Single(n => n.Version == "GLIBCXX_3.4.30").Offset;
        int[] allowed =
        [
            needs.Single(n => n.Version == "GLIBCXX_3.4.32").Offset + 4,
            .. Enumerable.Range(rebound, 4),
            .. Enumerable.Range(rebound + 8, 4),
        ];
        Assert.All(Differences(before, after), d => Assert.Contains(d.Offset, allowed));
        Assert.DoesNotContain("GLIBCXX_3.4.30", ElfVersionNeeds.Read(after).Select(n => n.Version));
        Assert.Equal(before, File.ReadAllBytes(bridge));
    }

    private static int Aux(int index) => 64 + 16 * (index + 1);

    /// <summary>
    /// 64-byte header, one Verneed with three Vernaux (V_1, V_2, V_3), a string table, and three section headers (none, needs, strings).
    /// </summary>
    private static byte[] SmallImage()
    {
        var strings = "\0V_1\0V_2\0V_3\0"u8;
        var sections = Aux(3) + 16;
        var image = new byte[sections + 3 * 64];
        "\u007fELF\u0002\u0001"u8.CopyTo(image);
        U64(0x28, (ulong)sections);
        U16(0x3A, 64);
        U16(0x3C, 3);

        U16(64, 1);
        U16(66, 3);
        U32(64 + 8, 16);
        for (var k = 0; k < 3; k++)
        {
            U32(Aux(k), 0xA1u + (uint)k);
            U16(Aux(k) + 6, (ushort)(k + 2));
            U32(Aux(k) + 8, (uint)(1 + 4 * k));
            U32(Aux(k) + 12, k < 2 ? 16u : 0);
        }
        strings.CopyTo(image.AsSpan(Aux(3)));

        var needs = sections + 64;
        U32(needs + 4, 0x6FFFFFFE);
        U64(needs + 0x18, 64);
        U64(needs + 0x20, 64);
        U32(needs + 0x28, 2);
        U32(needs + 0x2C, 1);
        U64(needs + 64 + 0x18, (ulong)Aux(3));
        U64(needs + 64 + 0x20, (ulong)strings.Length);
        return image;

        void U16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(at), value);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at), value);
        void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at), value);
    }

    private static List<(int Offset, byte After)> Differences(byte[] before, byte[] after) =>
        [.. Enumerable.Range(0, before.Length).Where(i => before[i] != after[i]).Select(i => (i, after[i]))];
}
