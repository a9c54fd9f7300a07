using Engram.Tables;
using Engram.Tables.Training;

namespace Engram.Tests.Tables.Training;

/// <summary>Every row optimizer, by a name that a theory can show, and what their tests have in common.</summary>
internal static class Optimizers
{
    public static readonly string[] Names =
    [
        "adam",
        "adam bfloat16",
        "adam dense",
        "adam deferred",
        "adam deferred bfloat16",
        "adagrad",
        "sinkhorn",
        "sinkhorn bfloat16",
    ];

    public static RowOptimizer Create(string name, EngramTable table, string? stateFile = null) =>
        name switch
        {
            "adam" => new RowAdam(table, stateFile: stateFile),
            "adam bfloat16" => new RowAdam(table, moments: MomentFormat.BFloat16, stateFile: stateFile),
            "adam dense" => new RowAdam(table, stateFile: stateFile, updates: RowUpdates.Dense),
            "adam deferred" => new RowAdam(table, stateFile: stateFile, updates: RowUpdates.Deferred),
            "adam deferred bfloat16" => new RowAdam(
                table,
                moments: MomentFormat.BFloat16,
                stateFile: stateFile,
                updates: RowUpdates.Deferred
            ),
            "adagrad" => new RowAdagrad(table, stateFile: stateFile),
            "sinkhorn" => new RowSinkhorn(table, stateFile: stateFile),
            _ => new RowSinkhorn(table, moments: MomentFormat.BFloat16, stateFile: stateFile),
        };

    public static EngramTable Normal(long rows, int width)
    {
        var table = new EngramTable(rows, width);
        table.FillNormal(11, 0.1f);
        return table;
    }

    public static float[] Values(EngramTable table) =>
        [.. Enumerable.Range(0, (int)table.Rows).SelectMany(row => table.Row(row).ToArray())];

    public static uint[] Bits(EngramTable table) => [.. Values(table).Select(BitConverter.SingleToUInt32Bits)];

    /// <summary>Some of the rows, in no order, −1 among them now and then, with gradients.</summary>
    public static (long[] Rows, float[] Gradients) Batch(Random random, int tableRows, int width, double share = 0.5)
    {
        long[] rows = [.. Enumerable.Range(-1, tableRows + 1).Where(_ => random.NextDouble() < share).Select(row => (long)row)];
        random.Shuffle(rows);
        return (
            rows,
            [.. Enumerable.Range(0, rows.Length * width).Select(_ => random.Next(9) == 0 ? 0 : (random.NextSingle() - 0.5f) * 1e-3f)]
        );
    }
}
