using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Engram.Addressing;

/// <summary>Source-generated reading and writing of the addressing files. Unknown, missing, repeated and null members are errors.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false
)]
[JsonSerializable(typeof(CaseJson))]
[JsonSerializable(typeof(CaseJson[]))]
[JsonSerializable(typeof(ModelJson))]
internal sealed partial class AddressingJson : JsonSerializerContext;

/// <summary>The fields of a specification, first in both files.</summary>
internal abstract class SpecJson
{
    [JsonPropertyOrder(-9)]
    public required int CompressedVocabularySize { get; init; }

    [JsonPropertyOrder(-8)]
    public required int[] Layers { get; init; }

    [JsonPropertyOrder(-7)]
    public required long[] SlotsPerOrder { get; init; }

    [JsonPropertyOrder(-6)]
    public required int HeadsPerOrder { get; init; }

    [JsonPropertyOrder(-5)]
    public required long Seed { get; init; }

    [JsonPropertyOrder(-4)]
    public required int PadId { get; init; }

    [JsonPropertyOrder(-3)]
    public int? MinOrder { get; init; }

    [JsonPropertyOrder(-2)]
    public HashScheme? Hash { get; init; }

    public AddressingSpec ToSpec() =>
        new AddressingSpec
        {
            CompressedVocabularySize = CompressedVocabularySize,
            Layers = [.. Layers],
            SlotsPerOrder = [.. SlotsPerOrder],
            HeadsPerOrder = HeadsPerOrder,
            Seed = Seed,
            PadId = PadId,
            MinOrder = MinOrder ?? 2,
            Hash = Hash ?? HashScheme.MultiplicativeXor,
        }.Validated();
}

/// <summary>A test vector: input fields, and what is computed from them.</summary>
internal sealed class CaseJson : SpecJson
{
    [JsonPropertyOrder(-10)]
    public required string Name { get; init; }
    public required int[] Tokens { get; init; }
    public CaseLayerJson[]? PerLayer { get; set; }
}

internal sealed class CaseLayerJson
{
    public required int Layer { get; init; }
    public required ImmutableArray<long> Multipliers { get; init; }
    public required ImmutableArray<ImmutableArray<long>> Primes { get; init; }
    public required long[][] Rows { get; init; }
}

/// <summary>The file of a model folder; the long map comes last.</summary>
internal sealed class ModelJson : SpecJson
{
    public required string TokenizerFingerprint { get; init; }
    public required ModelLayerJson[] PerLayer { get; init; }
    public required string MapSha256 { get; init; }
    public required int[] Map { get; init; }
}

internal sealed class ModelLayerJson
{
    public required int Layer { get; init; }
    public required long[] Multipliers { get; init; }
    public required long[][] Primes { get; init; }
    public required long[] Offsets { get; init; }
    public required long TotalRows { get; init; }
}
