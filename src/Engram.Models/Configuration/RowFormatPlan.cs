namespace Engram.Models.Configuration;

/// <summary>What the tables of a model take in one number format.</summary>
/// <param name="Format">Name of the format.</param>
/// <param name="RowBytes">Bytes of one row, scales included.</param>
/// <param name="TableBytes">Bytes of all tables.</param>
/// <param name="BytesPerToken">Bytes that one token reads from all tables.</param>
public sealed record RowFormatPlan(string Format, long RowBytes, long TableBytes, long BytesPerToken)
{
    internal static IReadOnlyList<RowFormatPlan> Of(EngramConfiguration memory, IReadOnlyList<long> tableRows)
    {
        long width = memory.HeadDim, groups = width / GroupLength(memory.HeadDim);
        return
        [
            Format("float32", 4 * width),
            Format("bfloat16", 2 * width),
            Format("fp8_e4m3", width + groups),
            Format("int8", width + (2 * groups)),
            Format("int4", ((width + 1) / 2) + (2 * groups)),
        ];

        RowFormatPlan Format(string name, long rowBytes) => checked(
            new(name, rowBytes, tableRows.Sum() * rowBytes, (long)memory.LayerIds.Count * memory.RowsPerToken * rowBytes));
    }

    /// <summary>Elements that share one scale: 32, or 16, or the whole row, whichever divides its width.</summary>
    internal static int GroupLength(int width) => width % 32 == 0 ? 32 : width % 16 == 0 ? 16 : width;
}
