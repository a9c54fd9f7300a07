using System.CommandLine;
using System.Diagnostics;
using Engram.Cli.CommandLine;
using Engram.PublishedCheckpoints;
using Engram.Tables;
using Spectre.Console;
using static Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>What tables are, without reading a row.</summary>
internal sealed class TableInfoCommand : CliCommand
{
    private readonly Argument<string> _path = TableInput.Path();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TableInfoCommand()
        : base(
            "info",
            "Show rows, width, format, size and place of tables. Opens them where they lie and reads no row.",
            "engram table info run/model",
            "engram table info run/model/engram/layer-02.safetensors --json"
        )
    {
        Add(_path);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        using var source = TableInput.Open(parsed.GetRequiredValue(_path), cancellation);
        var opened = clock.Elapsed;
        if (parsed.GetValue(_json))
            WriteJson(source, opened);
        else
            WriteTable(source, opened);
    }

    private static void WriteJson(TableSource source, TimeSpan opened) =>
        Terminal.Json(
            new
            {
                source.Path,
                source.Kind,
                Rows = source.Tables.Sum(table => table.Table.Rows),
                Width = Common(source, table => (int?)table.Width),
                Format = Common(source, table => table.Format.ToString()),
                RowBytes = Common(source, table => (int?)table.Format.RowBytes(table.Width)),
                Bytes = source.Tables.Sum(table => table.Table.Bytes),
                DiskBytes = DiskBytes(source),
                OpenMilliseconds = opened.TotalMilliseconds,
                Mapped = source.Tables.All(table => table.Table.IsMapped),
                TransparentHugePages = EngramTable.HugePageSetting,
                HugePagesAvailable = HugePagesAvailable,
                Tables = source.Tables.Select(table => new
                {
                    table.Layer,
                    table.File,
                    Tensor = table.TensorName,
                    table.Table.Rows,
                    table.Table.Width,
                    Format = table.Table.Format.ToString(),
                    RowBytes = table.Table.Format.RowBytes(table.Table.Width),
                    table.Table.Bytes,
                    OpenMilliseconds = table.OpenTime.TotalMilliseconds,
                }),
            }
        );

    private static void WriteTable(TableSource source, TimeSpan opened)
    {
        var view = new Table().AddColumns(
            Number("layer"),
            new TableColumn("file"),
            Number("rows"),
            Number("width"),
            new TableColumn("format"),
            Number("bytes per row"),
            Number("bytes")
        );
        foreach (var table in source.Tables)
            view.AddRow(
                table.Layer?.ToString() ?? "",
                Markup.Escape(table.File),
                $"{table.Table.Rows:N0}",
                $"{table.Table.Width:N0}",
                table.Table.Format.ToString(),
                $"{table.Table.Format.RowBytes(table.Table.Width):N0}",
                $"{table.Table.Bytes:N0}"
            );
        Terminal.Answer.Write(view);
        Console.Out.WriteLine(
            $"{source.Tables.Sum(table => table.Table.Rows):N0} rows, {source.Tables.Sum(table => table.Table.Bytes):N0} bytes"
                + $"{(DiskBytes(source) is { } disk ? $"; the files occupy {disk:N0} bytes of the disk" : "")}. Opened in "
                + $"{opened.TotalMilliseconds:F1} ms, mapped."
        );
        Console.Out.WriteLine(
            $"Huge pages for tables in memory: {(HugePagesAvailable ? "available" : "not available")} (transparent huge pages: "
                + $"{EngramTable.HugePageSetting ?? "unknown"})."
        );
    }

    private static bool HugePagesAvailable => EngramTable.HugePageSetting is "always" or "madvise";

    // A file with two tables is counted once.
    private static long? DiskBytes(TableSource source)
    {
        var files = source.Tables.DistinctBy(table => table.File).Select(table => table.OccupiedBytes).ToArray();
        return files.Contains(null) ? null : files.Sum();
    }

    private static T? Common<T>(TableSource source, Func<EngramTable, T> property) =>
        source.Tables.Select(table => property(table.Table)).Distinct().ToArray() is [var only] ? only : default;
}
