using System.Text.Json.Serialization;

namespace Engram.Studies.Results;

/// <summary>One measured number, one line of <c>measurements.jsonl</c>.</summary>
/// <param name="Study">The study.</param>
/// <param name="Size">Its size.</param>
/// <param name="Arm">Setting and arm, a slash between them.</param>
/// <param name="Seed">The seed of the run.</param>
/// <param name="Measure">What was measured.</param>
/// <param name="Value">The number.</param>
/// <param name="Inputs">Hash of all that decides about the run.</param>
public sealed record Measurement(
    [property: JsonPropertyOrder(0)] string Study,
    [property: JsonPropertyOrder(1)] string Size,
    [property: JsonPropertyOrder(2)] string Arm,
    [property: JsonPropertyOrder(3)] long Seed,
    [property: JsonPropertyOrder(4)] string Measure,
    [property: JsonPropertyOrder(5)] double Value,
    [property: JsonPropertyOrder(6)] string Inputs
)
{
    /// <summary>What a row is about: of two rows with the same key the later one counts.</summary>
    internal (string, string, string, long, string) Key => (Study, Size, Arm, Seed, Measure);
}
