using System.Buffers.Binary;
using System.Text;

namespace Engram.Torch.Native;

// Layout of what this file reads (ELF64, little endian; offsets in bytes):
//   file header     +0x28 section table u64   +0x3A section header size u16   +0x3C section count u16
//   section header  +0x04 type u32   +0x18 file offset u64   +0x20 size u64   +0x28 link u32 (its string table)   +0x2C info u32
//   Verneed         +2 aux count u16   +8 first aux u32   +12 next u32         (distances from this record)
//   Vernaux         +0 hash u32   +4 flags u16   +6 other u16   +8 name u32   +12 next u32

/// <summary>
/// Changes which versions of other libraries' symbols a shared library insists on (its <c>.gnu.version_r</c> section), in a copy held in
/// memory.
/// </summary>
internal static class ElfVersionNeeds
{
    private const uint VersionNeedSection = 0x6FFF_FFFE;
    private const ushort WeakFlag = 2;
    private const int VernauxSize = 16;

    /// <summary>
    /// Makes every requirement on <paramref name="version"/> weak: the dynamic loader then accepts a library without it. Safe only if no
    /// relocation binds a symbol at that version.
    /// </summary>
    /// <param name="image">The whole file; edited in place.</param>
    /// <param name="version">Version name, for example <c>GLIBCXX_3.4.32</c>.</param>
    /// <returns>Requirements changed.</returns>
    /// <exception cref="InvalidDataException">Not a complete little-endian ELF64 image.</exception>
    public static int MakeWeak(Span<byte> image, string version)
    {
        var changed = 0;
        foreach (var need in Read(image))
        {
            if (need.Version != version)
                continue;
            var flags = image.Slice(need.Offset + 4, 2);
            BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(flags) | WeakFlag));
            changed++;
        }
        return changed;
    }

    /// <summary>
    /// Lets symbols required at version <paramref name="from"/> bind at <paramref name="to"/>, which the image must require already (its
    /// hash and name are reused).
    /// </summary>
    /// <param name="image">The whole file; edited in place.</param>
    /// <param name="from">The version a host may lack.</param>
    /// <param name="to">An older version under which the same symbols exist.</param>
    /// <returns>Requirements changed; 0 if either version is not named.</returns>
    /// <exception cref="InvalidDataException">Not a complete little-endian ELF64 image.</exception>
    public static int Rebind(Span<byte> image, string from, string to)
    {
        var needs = Read(image);
        if (needs.FindIndex(need => need.Version == to) is var target && target < 0)
            return 0;
        var model = image.Slice(needs[target].Offset, VernauxSize);
        var changed = 0;
        foreach (var need in needs)
        {
            if (need.Version != from)
                continue;
            var edited = image.Slice(need.Offset, VernauxSize);
            model[..4].CopyTo(edited); // hash
            model[8..12].CopyTo(edited[8..]); // name
            changed++;
        }
        return changed;
    }

    /// <summary>Lists the requirements of an image: where each Vernaux record lies and which version it names.</summary>
    /// <exception cref="InvalidDataException">Not a complete little-endian ELF64 image.</exception>
    internal static List<(int Offset, string Version)> Read(ReadOnlySpan<byte> image)
    {
        if (image.Length < 64 || !image[..4].SequenceEqual("\u007fELF"u8) || image[4] != 2 || image[5] != 1)
            throw new InvalidDataException("Not a little-endian ELF64 image.");
        try
        {
            return ReadSections(image);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("The ELF image is truncated or its section table is damaged.", e);
        }
    }

    private static List<(int Offset, string Version)> ReadSections(ReadOnlySpan<byte> image)
    {
        var needs = new List<(int, string)>();
        for (var s = 0; s < UInt16(image, 0x3C); s++)
        {
            var section = Section(image, s);
            if (UInt32(section, 0x04) != VersionNeedSection)
                continue;
            var strings = Content(image, Section(image, checked((int)UInt32(section, 0x28))));
            var content = Content(image, section);
            var start = checked((int)UInt64(section, 0x18));
            var record = 0;
            for (var left = UInt32(section, 0x2C); left > 0; left--)
            {
                var aux = checked(record + (int)UInt32(content, record + 8));
                for (int k = UInt16(content, record + 2); k > 0; k--)
                {
                    needs.Add((start + aux, Name(strings, UInt32(content, aux + 8))));
                    aux = checked(aux + (int)UInt32(content, aux + 12));
                }
                var next = checked((int)UInt32(content, record + 12));
                if (next == 0)
                    break;
                record = checked(record + next);
            }
        }
        return needs;
    }

    private static ReadOnlySpan<byte> Section(ReadOnlySpan<byte> image, int index)
    {
        int size = UInt16(image, 0x3A);
        return image.Slice(checked((int)UInt64(image, 0x28) + index * size), size);
    }

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> image, ReadOnlySpan<byte> section) =>
        image.Slice(checked((int)UInt64(section, 0x18)), checked((int)UInt64(section, 0x20)));

    private static string Name(ReadOnlySpan<byte> strings, uint offset)
    {
        var text = strings[checked((int)offset)..];
        return Encoding.ASCII.GetString(text[..text.IndexOf((byte)0)]);
    }

    private static ushort UInt16(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt16LittleEndian(b[at..]);

    private static uint UInt32(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt32LittleEndian(b[at..]);

    private static ulong UInt64(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt64LittleEndian(b[at..]);
}
