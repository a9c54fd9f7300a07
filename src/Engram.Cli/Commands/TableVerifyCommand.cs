using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.PublishedCheckpoints;
using Engram.Tables;

namespace Engram.Cli.Commands;

/// <summary>Reads whole tables and says what is wrong with them.</summary>
internal sealed class TableVerifyCommand : CliCommand
{
    private const int MostProblems = 10;

    private readonly Argument<string> _path = TableInput.Path();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TableVerifyCommand()
        : base(
            "verify",
            $"Read tables whole: values finite, scales possible, rows as the addresses need them. Lists the first {MostProblems} problems "
                + "of each table.",
            "engram table verify run/model",
            "engram table verify run/model/engram/layer-02.safetensors --json"
        )
    {
        Add(_path);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var source = TableInput.Open(parsed.GetRequiredValue(_path), cancellation);
        var found = new List<(SourceTable Table, TableVerification Result)>();
        using (var line = TableProgressLine.Show("reading"))
        {
            var total = source.Tables.Sum(table => table.Table.Rows);
            foreach (var table in source.Tables)
                found.Add(
                    (
                        table,
                        TableVerification.Run(
                            table.Table,
                            MostProblems,
                            new After(line, found.Sum(done => done.Result.Rows), total),
                            cancellation
                        )
                    )
                );
        }
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    source.Path,
                    Rows = found.Sum(table => table.Result.Rows),
                    ZeroRows = found.Sum(table => table.Result.ZeroRows),
                    BadRows = found.Sum(table => table.Result.BadRows),
                    Tables = found.Select(table => new
                    {
                        table.Table.Layer,
                        table.Table.File,
                        Tensor = table.Table.TensorName,
                        table.Result.Rows,
                        table.Result.ZeroRows,
                        table.Result.BadRows,
                        table.Result.Problems,
                    }),
                }
            );
        else
            foreach (var (table, result) in found)
                Console.Out.WriteLine(
                    $"{table.File}: {result.Rows:N0} rows of {table.Table.Width} values as {table.Table.Format} read, "
                        + $"{result.ZeroRows:N0} of them zero, {result.BadRows:N0} bad."
                );
        foreach (var (table, result) in found)
        foreach (var problem in result.Problems)
            Terminal.Note($"{table.File}: tensor '{table.TensorName}', {problem}.");
        if (found.Sum(table => table.Result.BadRows) is > 0 and var bad)
            throw new InvalidDataException($"{source.Path}: {(bad == 1 ? "one bad row" : $"{bad:N0} bad rows")}.");
    }

    /// <summary>The progress of one table among all.</summary>
    private sealed class After(IProgress<TableProgress> all, long before, long total) : IProgress<TableProgress>
    {
        public void Report(TableProgress value) => all.Report(new TableProgress(before + value.Rows, total));
    }
}
