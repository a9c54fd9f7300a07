using Engram.Tables.Formats;

namespace Engram.Models.Configuration;

/// <summary>What the tables of a model take in one number format.</summary>
/// <param name="Format">Name of the format, as <see cref="RowFormat.Parse"/> reads it.</param>
/// <param name="RowBytes">Bytes of one row, scales included.</param>
/// <param name="TableBytes">Bytes of all tables.</param>
/// <param name="BytesPerToken">Bytes that one token reads from all tables.</param>
public sealed record RowFormatPlan(string Format, long RowBytes, long TableBytes, long BytesPerToken)
{
    internal static IReadOnlyList<RowFormatPlan> Of(EngramConfiguration memory, IReadOnlyList<long> tableRows)
    {
        // Half bytes come in pairs.
        RowFormat[] formats =
        [
            RowFormat.Float32,
            RowFormat.BFloat16,
            RowFormat.Float8(),
            RowFormat.Int8(),
            .. memory.HeadDim % 2 == 0 ? [RowFormat.Int4()] : Array.Empty<RowFormat>(),
        ];
        return
        [
            .. formats.Select(format =>
            {
                long rowBytes = format.RowBytes(memory.HeadDim);
                return checked(
                    new RowFormatPlan(
                        format.ToString(),
                        rowBytes,
                        tableRows.Sum() * rowBytes,
                        (long)memory.LayerIds.Count * memory.RowsPerToken * rowBytes
                    )
                );
            }),
        ];
    }
}
