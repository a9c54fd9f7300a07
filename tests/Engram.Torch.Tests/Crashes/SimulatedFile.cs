namespace Engram.Torch.Tests.Crashes;

/// <summary>
/// A file as the system's cache and the device see it: of every page all contents since the last flush, the first of them what the device
/// surely has. After a crash any sector of 512 bytes may have any of them, and the length may be any of the lengths since then.
/// </summary>
internal sealed class SimulatedFile
{
    private const int PageBytes = 4096;
    private const int SectorBytes = 512;

    private readonly SortedDictionary<long, List<byte[]>> _pages = [];
    private readonly List<long> _lengths = [0];

    public static SimulatedFile Durable(byte[] content)
    {
        var file = new SimulatedFile();
        file.Write(0, content);
        file.Flush();
        return file;
    }

    public void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (offset + data.Length > _lengths[^1])
            _lengths.Add(offset + data.Length);
        for (var done = 0; done < data.Length; )
        {
            var (page, at) = ((offset + done) / PageBytes, (int)((offset + done) % PageBytes));
            var count = Math.Min(PageBytes - at, data.Length - done);
            var next = (byte[])Latest(page).Clone();
            data.Slice(done, count).CopyTo(next.AsSpan(at));
            Versions(page).Add(next);
            done += count;
        }
    }

    public void Truncate(long length)
    {
        if (length < _lengths[^1])
            foreach (var (page, versions) in _pages)
                if ((page + 1) * PageBytes > length)
                {
                    var next = (byte[])versions[^1].Clone();
                    next.AsSpan((int)Math.Clamp(length - page * PageBytes, 0, PageBytes)).Clear();
                    versions.Add(next);
                }
        _lengths.Add(length);
    }

    /// <summary>The device has the latest contents.</summary>
    public void Flush()
    {
        foreach (var versions in _pages.Values)
            versions.RemoveRange(0, versions.Count - 1);
        _lengths.RemoveRange(0, _lengths.Count - 1);
    }

    /// <summary>What a crash leaves: everything unflushed lost, nothing of it, or each sector as chance has it.</summary>
    public void WriteTo(string path, Random random)
    {
        var mode = random.Next(4);
        using var stream = File.Create(path);
        var length = Pick(_lengths, mode, random);
        foreach (var (page, versions) in _pages)
            if (page * PageBytes < length)
            {
                stream.Position = page * PageBytes;
                var content = (byte[])Pick(versions, mode, random).Clone();
                if (mode == 3 && versions.Count > 1)
                    for (var at = 0; at < PageBytes; at += SectorBytes)
                        versions[random.Next(versions.Count)].AsSpan(at, SectorBytes).CopyTo(content.AsSpan(at));
                stream.Write(content.AsSpan(0, (int)Math.Min(PageBytes, length - page * PageBytes)));
            }
        stream.SetLength(length);
    }

    private static T Pick<T>(List<T> versions, int mode, Random random) =>
        mode switch
        {
            0 => versions[0],
            1 => versions[^1],
            _ => versions[random.Next(versions.Count)],
        };

    private byte[] Latest(long page) => Versions(page)[^1];

    private List<byte[]> Versions(long page)
    {
        if (!_pages.TryGetValue(page, out var versions))
            _pages[page] = versions = [new byte[PageBytes]];
        return versions;
    }
}
