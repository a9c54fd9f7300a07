using System.Runtime.InteropServices;
using CsCheck;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables;

public sealed partial class MappedTableTests : IDisposable
{
    private const string Name = "model.layers.1.engram.embed.weight";

    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("table.safetensors");

    public void Dispose() => _folder.Dispose();

    private string SaveRandom(long rows, int width, string? path = null)
    {
        using var table = new EngramTable(rows, width);
        table.FillNormal(1, 1);
        table.Save(path ??= Path, Name);
        return path;
    }

    [Fact]
    public void A_mapped_table_hands_out_what_a_loaded_one_does() =>
        Gen.Select(Gen.Int[1, 3000], Gen.Int[1, 130])
            .SelectMany((rows, width) => Gen.Select(Gen.Const(rows), Gen.Const(width), Gen.Long[-1, rows - 1].Array[0, 200]))
            .Sample(
                (rows, width, addresses) =>
                {
                    // Samples run side by side.
                    var path = SaveRandom(rows, width, _folder.File(Guid.NewGuid().ToString()));
                    using var loaded = EngramTable.Load(path, Name);
                    using var mapped = EngramTable.Map(path, Name, rows, width);
                    var (expected, found) = (new float[addresses.Length * width], new float[addresses.Length * width]);
                    loaded.Gather(addresses, expected);
                    mapped.Prefetch(addresses);
                    mapped.Gather(addresses, found);
                    Assert.Equal(expected, found);
                    Assert.True(mapped.IsMapped && !mapped.IsWritable && !loaded.IsMapped && loaded.IsWritable);
                },
                iter: 30
            );

    [Fact]
    public void Rows_of_a_saved_table_begin_at_a_page_of_the_file()
    {
        SaveRandom(10, 64);
        using var file = SafetensorsFile.Open(Path);
        Assert.Equal(0, file.Tensors[Name].Offset % 4096);
    }

    [Fact]
    public void A_table_opened_for_reading_cannot_be_written()
    {
        SaveRandom(10, 4);
        using var mapped = EngramTable.Map(Path, Name);
        Assert.Contains(
            Path,
            Assert.Throws<InvalidOperationException>(() => mapped.Write(0, new float[4])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<InvalidOperationException>(mapped.FillZero);
        Assert.Throws<InvalidOperationException>(() => mapped.FillNormal(1, 1));
    }

    [Fact]
    public void What_is_written_in_place_is_in_the_file()
    {
        EngramTable.CreateFile(Path, Name, rows: 1000, width: 5);
        using (var table = EngramTable.MapWritable(Path, Name, 1000, 5))
        {
            Assert.True(table.IsWritable);
            table.Write(998, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
            table.Row(3)[2] = 42;
            table.Flush();
            using var reader = EngramTable.Map(Path, Name);
            Assert.Equal(42, reader.Row(3)[2]);
        }
        using var loaded = EngramTable.Load(Path, Name);
        Assert.Equal([6, 7, 8, 9, 10], loaded.Row(999).ToArray());
        Assert.Equal(42 + 55, Enumerable.Range(0, 1000).Sum(row => loaded.Row(row).ToArray().Sum()));
        Assert.Throws<ArgumentOutOfRangeException>(() => loaded.Write(999, new float[10]));
        Assert.Throws<ArgumentException>(() => loaded.Write(0, new float[6]));
        Assert.Throws<ArgumentException>(() => loaded.Write(0, [1, 2, float.NaN, 4, 5]));
    }

    /// <summary>A file of 80 GB, of which the header and a few pages exist.</summary>
    [Fact]
    public void A_table_far_larger_than_memory_is_made_opened_and_written_in_place()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Files with holes are relied on.");
        const long rows = 250_000_000;
        const int width = 80;
        try
        {
            EngramTable.CreateFile(Path, Name, rows, width);
        }
        catch (IOException e)
        {
            Assert.Skip($"The file system of the temporary folder has no room for a sparse file of 80 GB: {e.Message}");
        }
        using (var table = EngramTable.MapWritable(Path, Name))
            table.Write(rows - 1, [.. Enumerable.Range(0, width).Select(i => (float)i)]);
        using var mapped = EngramTable.Map(Path, Name);
        var gathered = new float[3 * width];
        mapped.Gather([rows - 1, 12345678, rows / 2], gathered);
        Assert.Equal(width * (width - 1) / 2, gathered.Sum());
        Assert.Equal(width - 1, gathered[width - 1]);
    }

    [Fact]
    public void Only_float32_is_opened_for_training()
    {
        var writer = new SafetensorsWriter();
        writer.Add<ushort>(Name, DType.BF16, new ushort[6], 3, 2);
        writer.Write(Path);
        Assert.Contains(
            "bfloat16",
            Assert.Throws<InvalidDataException>(() => EngramTable.MapWritable(Path, Name)).Message,
            StringComparison.Ordinal
        );
        using var mapped = EngramTable.Map(Path, Name);
        Assert.Equal((3, 2, RowFormat.BFloat16), (mapped.Rows, mapped.Width, mapped.Format));
        Assert.Throws<InvalidOperationException>(() => mapped.Row(0)[0]);
    }

    [Fact]
    public void Rows_that_do_not_exist_are_refused_and_the_destination_is_as_it_was()
    {
        SaveRandom(10, 4);
        using var mapped = EngramTable.Map(Path, Name);
        var destination = new float[8];
        Assert.Contains(
            "Row 10 at position 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => mapped.Gather([0, 10], destination)).Message,
            StringComparison.Ordinal
        );
        Assert.All(destination, value => Assert.Equal(0, value));
        mapped.Prefetch([10, -5, long.MaxValue, long.MinValue]);
    }

    /// <summary>A file that may not be written does not say which of its pages are in memory; root may write everything.</summary>
    [Fact]
    public void A_table_in_a_file_that_cannot_be_written_is_read_all_the_same()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Unix permissions are relied on.");
        SaveRandom(5000, 64);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path, UnixFileMode.UserRead);
        Assert.Equal(Environment.IsPrivilegedProcess, VirtualMemory.TellsResidency(Path));
        Assert.False(VirtualMemory.TellsResidency(_folder.File("none")));
        using var loaded = EngramTable.Load(Path, Name);
        using var mapped = EngramTable.Map(Path, Name);
        long[] rows = [.. Enumerable.Range(0, 5000).Select(i => (long)(i * 7919L % 5000)), -1];
        var (expected, found) = (new float[rows.Length * 64], new float[rows.Length * 64]);
        loaded.Gather(rows, expected);
        mapped.Gather(rows, found);
        Assert.Equal(expected, found);
    }

    /// <summary>
    /// Rows come in an order: token after token, head after head. If the look at a batch fell on one head alone, whose rows happen to be in
    /// memory, every other row would be waited for one at a time.
    /// </summary>
    [Theory]
    [InlineData(512, 16)]
    [InlineData(1024, 16)]
    [InlineData(64, 24)]
    [InlineData(4096, 24)]
    [InlineData(8, 16)]
    public void The_look_at_a_batch_falls_on_all_heads_alike(int tokens, int heads)
    {
        var seen = new int[heads];
        var total = 0;
        for (var batch = 0; batch < 50; batch++)
        {
            var random = new Random(batch);
            long[] rows = [.. Enumerable.Range(0, tokens * heads).Select(_ => random.NextInt64(1_000_000))];
            var samples = MappedPages.SampleSize(rows.Length);
            for (var sample = 0; sample < samples; sample++, total++)
                seen[MappedPages.SamplePosition(sample, samples, rows) % heads]++;
        }
        // Multinomial with equal shares: six standard deviations.
        var expected = (double)total / heads;
        Assert.All(seen, count => Assert.InRange(count, expected - 6 * Math.Sqrt(expected), expected + 6 * Math.Sqrt(expected)));
    }

    [Fact]
    public void A_batch_whose_first_head_is_in_memory_waits_for_no_page_alone()
    {
        const int heads = 16,
            tokens = 512,
            width = 64;
        const long rows = 1L << 18;
        SaveRandom(rows, width);
        using var table = EngramTable.Map(Path, Name);
        var random = new Random(1);
        long[] batch = [.. Enumerable.Range(0, tokens * heads).Select(_ => random.NextInt64(rows))];
        DropFromSystemCache(Path);
        long[] first = [.. Enumerable.Range(0, tokens).Select(t => batch[t * heads])];
        table.Gather(first, new float[first.Length * width]);
        var before = MajorFaults();
        table.Gather(batch, new float[batch.Length * width]);
        // Without being told, the system would wait for thousands.
        Assert.InRange(MajorFaults() - before, 0, 100);
    }

    [Fact]
    public void One_row_alone_can_be_warmed()
    {
        SaveRandom(1 << 16, 64);
        using var table = EngramTable.Map(Path, Name);
        DropFromSystemCache(Path);
        table.Prefetch([40_000]);
        Assert.True(SpinWait.SpinUntil(() => Resident(40_000), TimeSpan.FromMinutes(5)));
        Assert.False(Resident(20_000));

        unsafe bool Resident(long row) => VirtualMemory.IsResident(table.Pointer + row * 64);
    }

    [Fact]
    public void Threads_change_nothing()
    {
        using var table = new EngramTable(50_000, 33);
        table.FillNormal(3, 1);
        var random = new Random(1);
        long[] rows = [.. Enumerable.Range(0, 20_000).Select(_ => random.NextInt64(-1, 50_000))];
        var (one, many) = (new float[rows.Length * 33], new float[rows.Length * 33]);
        table.Gather(rows, one);
        table.Gather(rows, many, threads: 5);
        Assert.Equal(one, many);
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Gather(rows, one, threads: 0));
    }

    /// <summary>Huge pages are the kernel's to grant; what is promised is alignment, zeros and the whole length.</summary>
    [Fact]
    public unsafe void Large_buffers_are_zero_aligned_and_usable_to_their_ends()
    {
        using var table = new EngramTable(3_000_000, 16);
        Assert.Equal(0, (nint)table.Pointer % 64);
        Assert.InRange(table.HugePageBytes, 0, table.Bytes);
        table.Row(0)[0] = 1;
        table.Row(2_999_999)[15] = 2;
        Assert.Equal((1f, 2f, 0f), (table.Row(0)[0], table.Row(2_999_999)[15], table.Row(1_234_567)[3]));
    }

    [Theory, InlineData(100), InlineData(70_000_001)]
    public unsafe void A_buffer_that_is_cleared_is_zero_and_gives_its_pages_back(int bytes)
    {
        using var buffer = new NativeBuffer<byte>(bytes);
        buffer.Slice(0, bytes).Fill(1);
        buffer.Clear();
        if (bytes > 64 << 20 && OperatingSystem.IsLinux())
            Assert.False(VirtualMemory.IsResident(buffer.Pointer + bytes / 2));
        Assert.False(buffer.Slice(0, bytes).ContainsAnyExcept((byte)0));
        buffer.Slice(0, bytes).Fill(2);
        Assert.Equal(2, buffer.Pointer[bytes - 1]);
    }

    private static void DropFromSystemCache(string path)
    {
        const int adviseDontNeed = 4;
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux is asked to forget a file.");
        using var mapped = EngramTable.Map(path, Name);
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            RandomAccess.FlushToDisk(file);
            Assert.Equal(0, posix_fadvise(file.DangerousGetHandle().ToInt32(), 0, 0, adviseDontNeed));
        }
        unsafe
        {
            Assert.SkipWhen(
                VirtualMemory.IsResident(mapped.Pointer + mapped.Rows / 2 * mapped.Width),
                "The system keeps the file in memory, as it does with one that lies there."
            );
        }
    }

    // Of this thread: the 12th field, the 10th behind the program's name.
    private static long MajorFaults()
    {
        var stat = File.ReadAllText("/proc/thread-self/stat");
        return long.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[9], System.Globalization.CultureInfo.InvariantCulture);
    }

    [LibraryImport("libc")]
    private static partial int posix_fadvise(int file, nint offset, nint length, int advice);
}
