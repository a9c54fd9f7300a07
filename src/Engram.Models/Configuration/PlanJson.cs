using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>Source-generated writing of a plan.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, NewLine = "\n", PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ModelPlan))]
internal sealed partial class PlanJson : JsonSerializerContext;
