using System.Text.Json.Serialization;
using Engram.Addressing;

namespace Engram.Models.Configuration;

/// <summary>Source-generated reading and writing of the configuration records.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    RespectNullableAnnotations = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters = [
        typeof(PointedNumber),
        typeof(JsonStringEnumConverter<ScoringFunction>),
        typeof(JsonStringEnumConverter<ResidualConnection>),
        typeof(JsonStringEnumConverter<StreamExit>),
        typeof(JsonStringEnumConverter<EngramGate>),
        typeof(JsonStringEnumConverter<FusionPlace>),
        typeof(JsonStringEnumConverter<HashScheme>),
        typeof(JsonStringEnumConverter<EngramTables>),
    ]
)]
[JsonSerializable(typeof(ModelConfiguration))]
[JsonSerializable(typeof(EngramConfiguration))]
[JsonSerializable(typeof(RopeScaling))]
internal sealed partial class ConfigurationJson : JsonSerializerContext;
