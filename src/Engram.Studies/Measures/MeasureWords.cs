using System.Text.RegularExpressions;

namespace Engram.Studies.Measures;

/// <summary>Names of rows as tables and sentences say them.</summary>
internal static partial class MeasureWords
{
    private static readonly Dictionary<string, string> Whole = new()
    {
        ["loss_memory_off"] = "loss, memory off",
        ["loss_memory_mean"] = "loss, mean row",
        ["loss_memory_shuffled"] = "loss, rows shuffled",
        ["loss_memory_random"] = "loss, rows random",
        ["loss_memory_permuted"] = "loss, keys permuted",
        [ClozeItems.Last] = "last word chosen of four",
        ["cloze_written"] = "last word written",
        [LogitLens.Last] = "KL(final ‖ layer), mean",
        [LayerAlignment.Last] = "layers ahead, mean",
        [LongContext.LastOfRuler] = "RULER, mean, %",
        ["longppl"] = "LongPPL",
        ["longppl_all_tokens"] = "perplexity, all tokens",
        [LongContext.LastOfKeys] = "key tokens",
        [LongLoss.Last] = "loss at the new length",
        ["long_loss_beyond"] = "loss beyond the old length",
        ["long_loss_yarn"] = "loss at the new length, YaRN alone",
        ["long_loss_yarn_beyond"] = "loss beyond the old length, YaRN alone",
        ["decoding_milliseconds_per_token"] = "decoding, ms per token",
        ["training_microseconds_per_token"] = "training, µs per token",
    };

    /// <summary>A row's name in words.</summary>
    public static string Of(string row) =>
        Whole.TryGetValue(row, out var words) ? words
        : Recall().Match(row) is { Success: true } recall
            ? $"recall ({recall.Groups[1].Value}){recall.Groups[2].Value switch
            {
                "_off" => ", memory off",
                "_mean" => ", mean row",
                _ => "",
            }}"
        : Lens().Match(row) is { Success: true } lens ? $"KL(final ‖ layer {lens.Groups[1].Value})"
        : Aligned().Match(row) is { Success: true } aligned ? $"layer that layer {aligned.Groups[1].Value} resembles"
        : row.StartsWith("ruler_", StringComparison.Ordinal) ? $"RULER, {row["ruler_".Length..]}, %"
        : row.Replace('_', ' ');

    [GeneratedRegex("^recall_([a-z-]+)(_off|_mean)?$")]
    private static partial Regex Recall();

    [GeneratedRegex("^lens_kl_([0-9]+)$")]
    private static partial Regex Lens();

    [GeneratedRegex("^aligned_([0-9]+)$")]
    private static partial Regex Aligned();
}
