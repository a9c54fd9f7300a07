using System.Text.Json.Serialization;

namespace Engram.Corpora;

/// <summary>How <c>data.json</c> is written and read, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    NewLine = "\n",
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(CorpusSummary))]
internal sealed partial class CorpusSummaryJson : JsonSerializerContext;
