using System.Diagnostics;
using Engram.Addressing;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Studies.Benchmarks;

/// <summary>A table on a device: opened, and rows of some tokens read cold (nothing in the system's cache) and warm.</summary>
/// <param name="Rows">Rows of the table.</param>
/// <param name="FileBytes">Length of its file; most of it is a hole.</param>
/// <param name="OpenMilliseconds">Time to open it.</param>
/// <param name="OpenBytes">Growth of the process's resident memory while opening it.</param>
/// <param name="RowsRead">Rows of the batch.</param>
/// <param name="PagesRead">Distinct pages of the file they lie in, values and scales.</param>
/// <param name="ColdSeconds">Gather of the batch, cold: the median of the rounds.</param>
/// <param name="WarmSeconds">The same again.</param>
/// <param name="DevicePagesPerSecond">
/// The device's limit: random reads of the same pages, 128 in flight, past the cache, in turns with the cold gathers.
/// </param>
/// <param name="OneByOnePagesPerSecond">What a gather that waits for each absent page would be bound by: reads one after the other.</param>
public sealed record DiskMeasurement(
    long Rows,
    long FileBytes,
    double OpenMilliseconds,
    long OpenBytes,
    int RowsRead,
    int PagesRead,
    double ColdSeconds,
    double WarmSeconds,
    double DevicePagesPerSecond,
    double OneByOnePagesPerSecond
)
{
    /// <summary>Pages per second of the cold gather.</summary>
    public double ColdPagesPerSecond => PagesRead / ColdSeconds;
}

/// <summary>
/// A table of the published V4.1 layout at its full row count (384 million rows of 264 bytes, about 100 GB) as a file of holes, in which
/// the rows of the tokens that are read are real: every page that the gather needs occupies the disk and comes from the device.
/// </summary>
public static class DiskBenchmark
{
    private const string Tensor = "layers.1.engram.embed.weight";
    private const int Width = 256;
    private const int InFlight = 128;

    /// <summary>Runs the benchmark.</summary>
    /// <param name="folder">On the device to measure; about 2 GB are written there for 10,000 tokens and removed in the end.</param>
    /// <param name="tokens">Tokens whose rows are read, 24 each.</param>
    /// <param name="threads">Threads of the gather.</param>
    /// <param name="rounds">Rounds of forgetting, cold gather, warm gather and the device's limit.</param>
    /// <param name="progress">Told what is measured.</param>
    /// <param name="cancellation">Ends the benchmark between its parts.</param>
    /// <exception cref="IOException">The folder's file system knows no holes or has no room.</exception>
    public static DiskMeasurement Run(
        string folder,
        int tokens = 10_000,
        int threads = 2,
        int rounds = 3,
        Action<string>? progress = null,
        CancellationToken cancellation = default
    )
    {
        var path = Path.Combine(folder, $"engram-disk-benchmark-{Environment.ProcessId}.safetensors");
        try
        {
            var constants = AddressingConstants.Derive(
                new AddressingSpec
                {
                    CompressedVocabularySize = 99_092,
                    Layers = [1],
                    SlotsPerOrder = [16_000_000, 16_000_000, 16_000_000],
                    HeadsPerOrder = 8,
                    PadId = 2,
                }
            );
            var rows = RowsOfRandomTokens(constants, tokens);
            progress?.Invoke("writing the rows into a file of holes");
            Create(path, constants.Layers[0].TotalRows);
            var pages = WriteRows(path, rows, cancellation);
            return Measure(path, rows, pages, threads, rounds, progress, cancellation);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static DiskMeasurement Measure(
        string path,
        long[] rows,
        long[] pages,
        int threads,
        int rounds,
        Action<string>? progress,
        CancellationToken cancellation
    )
    {
        var destination = new float[(long)rows.Length * Width];
        var (open, memory, cold, warm, device, oneByOne) = (
            new List<double>(),
            new List<long>(),
            new List<double>(),
            new List<double>(),
            new List<double>(),
            new List<double>()
        );
        var table = (Rows: 0L, Bytes: new FileInfo(path).Length);
        EngramTable.Map(path, Tensor).Dispose(); // compiles the code
        for (var round = 0; round < rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Invoke($"round {round + 1} of {rounds}");
            DeviceReads.Forget(path);
            device.Add(DeviceReads.PagesPerSecond(path, pages, InFlight));
            oneByOne.Add(DeviceReads.PagesPerSecond(path, pages.AsSpan(0, Math.Min(pages.Length, 20_000)), 1));
            DeviceReads.Forget(path);
            var before = Environment.WorkingSet;
            var start = Stopwatch.GetTimestamp();
            using var mapped = EngramTable.Map(path, Tensor);
            open.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            memory.Add(Environment.WorkingSet - before);
            table.Rows = mapped.Rows;
            cold.Add(Gather(mapped));
            warm.Add(Gather(mapped));
        }
        return new DiskMeasurement(
            table.Rows,
            table.Bytes,
            AddressingBenchmark.Median(open),
            memory.Max(),
            rows.Length,
            pages.Length,
            AddressingBenchmark.Median(cold),
            AddressingBenchmark.Median(warm),
            AddressingBenchmark.Median(device),
            AddressingBenchmark.Median(oneByOne)
        );

        double Gather(EngramTable from)
        {
            var start = Stopwatch.GetTimestamp();
            from.Gather(rows, destination, threads);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private static long[] RowsOfRandomTokens(AddressingConstants constants, int tokens)
    {
        var random = new Random(1);
        var ids = Enumerable.Range(0, tokens).Select(_ => random.Next(constants.Spec.CompressedVocabularySize)).ToArray();
        var rows = new long[tokens * constants.Spec.Columns];
        new NgramAddresser(constants).Address(ids, [], 0, rows);
        return rows;
    }

    private static void Create(string path, long rows)
    {
        var format = RowFormat.Float8();
        var writer = new SafetensorsWriter { KeepOrder = true, DataAlignment = DeviceReads.PageSize };
        writer.Add(Tensor, DType.F8_E4M3, stream => Skip(stream, rows * format.ValueBytes(Width)), rows, Width);
        writer.Add(
            "layers.1.engram.embed.scale",
            DType.F8_E8M0,
            stream => Skip(stream, rows * format.ScaleBytes(Width)),
            rows,
            format.Groups(Width)
        );
        writer.Write(path);

        static void Skip(Stream stream, long bytes)
        {
            stream.SetLength(stream.Position + bytes);
            stream.Position += bytes;
        }
    }

    /// <summary>Writes real rows and returns the numbers of the pages they lie in.</summary>
    private static long[] WriteRows(string path, long[] rows, CancellationToken cancellation)
    {
        long valueOffset,
            scaleOffset;
        using (var file = SafetensorsFile.Open(path))
            (valueOffset, scaleOffset) = (file.Tensors[Tensor].Offset, file.Tensors["layers.1.engram.embed.scale"].Offset);
        var (values, scales) = (new byte[Width], Enumerable.Repeat((byte)127, Width / 32).ToArray());
        var pages = new HashSet<long>();
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
        foreach (var row in rows.Distinct().Order())
        {
            cancellation.ThrowIfCancellationRequested();
            new Random((int)row).NextBytes(values);
            for (var i = 0; i < values.Length; i++)
                values[i] &= 0x7E; // no NaN
            Write(values, valueOffset + row * values.Length);
            Write(scales, scaleOffset + row * scales.Length);
        }
        RandomAccess.FlushToDisk(handle);
        return [.. pages];

        void Write(byte[] bytes, long offset)
        {
            RandomAccess.Write(handle, bytes, offset);
            pages.Add(offset / DeviceReads.PageSize);
            pages.Add((offset + bytes.Length - 1) / DeviceReads.PageSize);
        }
    }
}
