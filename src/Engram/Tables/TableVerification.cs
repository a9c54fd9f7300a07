using System.Numerics.Tensors;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>What a complete reading of a table found.</summary>
/// <param name="Rows">Rows read.</param>
/// <param name="ZeroRows">Rows of zeros alone: those that no training has touched.</param>
/// <param name="BadRows">Rows with a value that is not finite or with an impossible scale.</param>
/// <param name="Problems">One sentence for each of the first bad rows.</param>
public sealed record TableVerification(long Rows, long ZeroRows, long BadRows, IReadOnlyList<string> Problems)
{
    /// <summary>Reads a whole table, in a few MiB of memory. What its header must obey was checked when it was opened.</summary>
    /// <param name="table">The table.</param>
    /// <param name="mostProblems">Most sentences to keep.</param>
    /// <param name="progress">Told the rows of this table.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static TableVerification Run(
        EngramTable table,
        int mostProblems = 10,
        IProgress<TableProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(table);
        var (width, format) = (table.Width, table.Format);
        var stored = (Values: new byte[format.ValueBytes(width)], Scales: new byte[format.ScaleBytes(width)]);
        var problems = new List<string>();
        var (zero, bad) = (0L, 0L);
        table.Scan(
            (firstRow, values) =>
            {
                var count = values.Length / width;
                var finite = TensorPrimitives.IsFiniteAll(values);
                for (var i = 0; i < count; i++)
                {
                    var row = values.Slice(i * width, width);
                    if (!row.ContainsAnyExcept(0f))
                        zero++;
                    if (
                        (finite || TensorPrimitives.IsFiniteAll(row))
                        && !(format.HasScales && ScalesAreSuspicious(table, firstRow + i, stored))
                    )
                        continue;
                    bad++;
                    if (problems.Count >= mostProblems)
                        continue;
                    table.GatherStored([firstRow + i], stored.Values, stored.Scales);
                    problems.Add(Describe(firstRow + i, row, format, stored.Scales));
                }
                progress?.Report(new TableProgress(firstRow + count, table.Rows));
            },
            cancellation
        );
        return new TableVerification(table.Rows, zero, bad, problems);
    }

    // A scale that is no number shows in its values, a negative one does not.
    private static bool ScalesAreSuspicious(EngramTable table, long row, (byte[] Values, byte[] Scales) stored)
    {
        if (table.Format.Encoding == RowEncoding.Float8)
            return false;
        table.GatherStored([row], stored.Values, stored.Scales);
        for (var high = 1; high < stored.Scales.Length; high += 2)
            if ((stored.Scales[high] & 0x80) != 0)
                return true;
        return false;
    }

    private static string Describe(long row, ReadOnlySpan<float> values, RowFormat format, ReadOnlySpan<byte> scales)
    {
        for (var group = 0; group < format.Groups(values.Length); group++)
            if (format.Encoding == RowEncoding.Float8 && scales[group] == 255)
                return $"row {row}: scale {group} is 255, no number";
            else if (
                format.Encoding != RowEncoding.Float8
                && Formats.BFloat16Codec.ToSingle(BitConverter.ToUInt16(scales[(2 * group)..])) is var scale
                && !(scale >= 0 && float.IsFinite(scale) && !float.IsNegative(scale))
            )
                return $"row {row}: scale {group} is {scale}";
        for (var column = 0; column < values.Length; column++)
            if (!float.IsFinite(values[column]))
                return $"row {row}: value {column} is {values[column]}";
        throw new InvalidOperationException($"Row {row} has nothing wrong.");
    }
}
