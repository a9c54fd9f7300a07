using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Studies.Benchmarks;
using Engram.Torch.Native;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>How fast this machine looks rows up, beside rivals and its own limits.</summary>
internal sealed class TableBenchCommand : CliCommand
{
    private const double Gibibyte = 1L << 30;

    private readonly Option<double> _size = new("--table-gib")
    {
        Description = "Size of the tables in memory, in GiB; far more than the caches, and twice of it must be free",
        HelpName = "N",
        DefaultValueFactory = _ => 4,
    };
    private readonly Option<string?> _disk = new("--disk")
    {
        Description =
            "Also open a table of 100 GB in this folder and read rows of 10,000 tokens from its device; the file is mostly holes, needs 2 "
            + "GB, and is removed again",
        HelpName = "FOLDER",
    };
    private readonly Option<int?> _threads = new("--threads")
    {
        Description = "Threads of the gathers [default: one per core]",
        HelpName = "N",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public TableBenchCommand()
        : base(
            "bench",
            "Measure look-ups on this machine: addressing, one decoded token, random rows in every format. Beside them, in the same "
                + "turns, libtorch's index_select and plain copies of the same rows, which are the machine's limit.",
            "engram table bench",
            "engram table bench --table-gib 1 --threads 1 --json",
            "engram table bench --disk ."
        )
    {
        Add(_size);
        Add(_disk);
        Add(_threads);
        Add(_json);
        CommonOptions.AtLeastOne(_threads);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var threads = parsed.GetValue(_threads) ?? Environment.ProcessorCount;
        if (parsed.GetValue(_size) is not (>= 0.01 and <= 1024) and var size)
            throw new UsageException($"--table-gib {size} must be between 0.01 and 1024.");
        var bytes = (long)(parsed.GetValue(_size) * Gibibyte);
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (2 * bytes > available)
            throw new UsageException(
                $"Tables of {bytes / Gibibyte:F1} GiB need {2 * bytes / Gibibyte:F1} GiB of memory; there are {available / Gibibyte:F1}: "
                    + "give a smaller --table-gib."
            );
        if (parsed.GetValue(_disk) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: there is no such folder; --disk names one on the device to measure.");
        LibTorch.EnsureLoaded();
        AddressingSpeed addressing;
        GatherMeasurement gather;
        DiskMeasurement? disk = null;
        using (var line = new ProgressLine<string>(step => $"measuring: {step}"))
        {
            line.Report("addressing");
            addressing = AddressingBenchmark.Measure();
            cancellation.ThrowIfCancellationRequested();
            gather = GatherBenchmark.Run(bytes, threads: threads, progress: line.Report, cancellation: cancellation);
            if (parsed.GetValue(_disk) is { } device)
                disk = DiskBenchmark.Run(device, threads: threads, progress: line.Report, cancellation: cancellation);
        }

        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    addressing = new { addressing.TokensPerSecond, addressing.LimitTokensPerSecond },
                    decode = new
                    {
                        NanosecondsPerToken = addressing.DecodeNanosecondsPerToken,
                        AllocatedBytes = addressing.DecodeAllocatedBytes,
                    },
                    gather,
                    disk,
                    machine = Machine.This(),
                }
            );
        else
            Write(addressing, gather, disk);
    }

    private static void Write(AddressingSpeed addressing, GatherMeasurement gather, DiskMeasurement? disk)
    {
        var table = new Table().AddColumns("what", "speed", "share").Border(TableBorder.Simple);
        void Row(string what, string speed, string share = "") => table.AddRow(what, speed, share);
        Row(
            "addressing, 1 thread, 16 heads",
            $"{addressing.TokensPerSecond / 1e6:N0} million tokens/s",
            $"{addressing.TokensPerSecond / addressing.LimitTokensPerSecond:P0} of bare stores of as many rows"
        );
        Row(
            "one decoded token, 2 layers",
            $"{addressing.DecodeNanosecondsPerToken:N0} ns",
            $"{addressing.DecodeAllocatedBytes} bytes allocated"
        );
        Rows(
            "gather of float32 rows",
            gather.RowsPerSecond,
            $"{gather.RowsPerSecond / gather.LimitRowsPerSecond:P0} of plain copies, "
                + $"{gather.RowsPerSecond / gather.IndexSelectRowsPerSecond:F2} x index_select"
        );
        Rows("  plain copies (the limit)", gather.LimitRowsPerSecond, "");
        Rows("  reading alone", gather.ReadOnlyRowsPerSecond, "rows stored nowhere");
        Rows("  index_select of libtorch", gather.IndexSelectRowsPerSecond, "from the small pages that libtorch takes");
        Rows("  index_select, huge pages", gather.IndexSelectHugePagesRowsPerSecond, "from pages asked for on its behalf");
        Rows("  bfloat16 rows", gather.BFloat16RowsPerSecond, Share(gather.BFloat16RowsPerSecond));
        Rows("  fp8 rows", gather.Fp8RowsPerSecond, Share(gather.Fp8RowsPerSecond));
        Rows("  int8 rows", gather.Int8RowsPerSecond, Share(gather.Int8RowsPerSecond));
        Rows("  int4 rows", gather.Int4RowsPerSecond, Share(gather.Int4RowsPerSecond));
        if (disk is not null)
        {
            Row($"open {disk.FileBytes / 1e9:N0} GB", $"{disk.OpenMilliseconds:F1} ms", $"{disk.OpenBytes / 1024:N0} KiB of memory");
            Row(
                $"{disk.RowsRead:N0} rows, cold",
                $"{disk.RowsRead / disk.ColdSeconds:N0} rows/s",
                $"{disk.ColdPagesPerSecond / disk.DevicePagesPerSecond:P0} of the device's {disk.DevicePagesPerSecond:N0} random pages/s"
            );
            Row("the same rows, warm", $"{disk.RowsRead / disk.WarmSeconds:N0} rows/s");
        }
        Terminal.Answer.Write(table);
        Terminal.Answer.WriteLine(
            $"Random rows of {gather.Width} values, tables of {gather.TableBytes / Gibibyte:F1} GiB ({gather.HugePageBytes / Gibibyte:F1} "
                + $"GiB in huge pages), {gather.Threads} thread(s); medians of turns in one run."
        );

        void Rows(string what, double speed, string share) => Row(what, $"{speed / 1e6:F1} million rows/s", share);
        string Share(double speed) => $"{speed / gather.RowsPerSecond:P0} of float32";
    }
}
