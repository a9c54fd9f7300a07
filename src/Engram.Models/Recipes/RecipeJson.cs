using System.Text.Json.Serialization;
using Engram.Tables.Training;

namespace Engram.Models.Recipes;

/// <summary>Source-generated reading and writing of recipes.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    NewLine = "\n",
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters = [
        typeof(JsonStringEnumConverter<LearningRateDecay>),
        typeof(JsonStringEnumConverter<MatrixOptimizer>),
        typeof(JsonStringEnumConverter<TableOptimizer>),
        typeof(JsonStringEnumConverter<MomentFormat>),
    ]
)]
[JsonSerializable(typeof(PresetRecipe))]
internal sealed partial class RecipeJson : JsonSerializerContext;
