using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Storage;

namespace Engram.Corpora.World;

/// <summary>What a world's folder holds: <c>world.json</c>.</summary>
public sealed record WorldSummary
{
    /// <summary><see cref="WorldOptions.Version"/> of the program that made it.</summary>
    public required int Version { get; init; }

    /// <summary>
    /// <see cref="WorldQuestions.Version"/> of its questions; 0 in worlds that say nothing of it, whose questions are older.
    /// </summary>
    public int QuestionsVersion { get; init; }

    /// <summary>What it was made from.</summary>
    public required WorldOptions Options { get; init; }

    /// <summary>Fingerprint of the real text that was mixed in; null without.</summary>
    public required string? MixFingerprint { get; init; }

    /// <summary>Share of real text among all bytes.</summary>
    public required double Ratio { get; init; }

    /// <summary>Documents, real ones included.</summary>
    public long Documents { get; init; }

    /// <summary>Tokens of the world's text by its own tokenizer, one before each document included.</summary>
    public long Tokens { get; init; }

    /// <summary>UTF-8 bytes of all text.</summary>
    public long TextBytes { get; init; }

    /// <summary>Token ids of <c>tokenizer.json</c>.</summary>
    public int VocabularySize { get; init; }

    /// <summary>Facts that hold everywhere.</summary>
    public int Facts { get; init; }

    /// <summary>Those of them whose key is a contiguous n-gram.</summary>
    public int ContiguousFacts { get; init; }

    /// <summary>Facts about items that share a name.</summary>
    public int HomographFacts { get; init; }

    /// <summary>Two-hops, stated or not.</summary>
    public int Compositions { get; init; }

    /// <summary>What all facts tell a reader who knows the possible values.</summary>
    public double KnowledgeBits { get; init; }

    /// <summary>How often the rarest fact is stated.</summary>
    public long LeastExposures { get; init; }

    /// <summary>How often the most frequent fact is stated.</summary>
    public long MostExposures { get; init; }

    /// <summary>Questions by kind.</summary>
    public IReadOnlyDictionary<string, int> Questions { get; init; } = new Dictionary<string, int>();

    /// <summary>sha256 of each file, in hex.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads the summary of a folder.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It cannot be read.</exception>
    public static WorldSummary Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = Path.Combine(folder, WorldFolder.SummaryFileName);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there is no world; engram data world makes one.", path);
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), WorldJson.Default.WorldSummary) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"{path}: not the summary of a world ({error.Message}). Make the world again in another folder.",
                error
            );
        }
    }

    internal void Write(string folder) =>
        AtomicFile.WriteAllBytes(
            Path.Combine(folder, WorldFolder.SummaryFileName),
            JsonSerializer.SerializeToUtf8Bytes(this, WorldJson.Default.WorldSummary)
        );

    internal bool IsResultOf(WorldSummary asked) =>
        (Version, Options, MixFingerprint, Ratio) == (asked.Version, asked.Options, asked.MixFingerprint, asked.Ratio);
}

/// <summary>How <c>world.json</c> is written and read, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    NewLine = "\n",
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(WorldSummary))]
internal sealed partial class WorldJson : JsonSerializerContext;
