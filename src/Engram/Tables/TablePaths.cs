using System.Text.RegularExpressions;

namespace Engram.Tables;

/// <summary>
/// Where tables lie: relative paths in a model folder, and in the folder of tables that are trained in place. Every reader and writer of
/// tables asks here.
/// </summary>
public static partial class TablePaths
{
    /// <summary>End of the name of every tensor of values.</summary>
    internal const string TensorSuffix = "engram.embed.weight";

    /// <summary>Addressing constants, in a model folder.</summary>
    public static string Addressing { get; } = Path.Combine("engram", "addressing.json");

    /// <summary>A table, in a model folder.</summary>
    /// <param name="layer">0-based block index.</param>
    public static string Table(int layer) => Path.Combine("engram", $"layer-{layer:00}.safetensors");

    /// <summary>Name of a table's tensor of values.</summary>
    /// <param name="layer">0-based block index.</param>
    public static string Tensor(int layer) => $"model.layers.{layer}.{TensorSuffix}";

    /// <summary>0-based block index that a tensor's name says; null if it says none.</summary>
    internal static int? LayerOf(string tensor) =>
        LayerNumber().Match(tensor) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan) : null;

    [GeneratedRegex(@"\blayers\.(\d{1,9})\.engram\.embed\.weight$")]
    private static partial Regex LayerNumber();
}
