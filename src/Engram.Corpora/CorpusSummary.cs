using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Storage;

namespace Engram.Corpora;

/// <summary>
/// What a folder of prepared data holds and what it was made from: the file <c>data.json</c>. The file is written last, so a folder with it
/// is complete.
/// </summary>
public sealed record CorpusSummary
{
    /// <summary>The name of the file.</summary>
    public const string FileName = "data.json";

    // Raised when the same source and settings would give other ids.
    internal const int CurrentVersion = 2;

    // The encoder is no constant, so no attribute can name it.
    private static readonly CorpusSummaryJson Json = new(
        new JsonSerializerOptions(CorpusSummaryJson.Default.Options)
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }
    );

    /// <summary>Of the format and of the way data is prepared.</summary>
    public required int Version { get; init; }

    /// <summary>The corpus, as it was named.</summary>
    public required string Source { get; init; }

    /// <summary>SHA-256 of the corpus; see <see cref="CorpusSource.Fingerprint"/>.</summary>
    public required string SourceFingerprint { get; init; }

    /// <summary>Share of the documents asked for as validation.</summary>
    public required double ValidationFraction { get; init; }

    /// <summary>Largest share of the training documents that could be left out as like validation.</summary>
    public double MostLeftOut { get; init; } = new PreparationOptions().MostLeftOut;

    /// <summary>Lines, rows and files that could not be read and were left out.</summary>
    public int SkippedBad { get; init; }

    /// <summary>Size asked for of the tokenizer trained on the training part; null if the tokenizer was given.</summary>
    public required int? TrainedVocabularySize { get; init; }

    /// <summary>SHA-256 of the tokenizer; see <see cref="Tokenization.Tokenizer.Fingerprint"/>.</summary>
    public required string TokenizerFingerprint { get; init; }

    /// <summary>Ids are below this.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The token before each document.</summary>
    public required string EndOfText { get; init; }

    /// <summary>Its id.</summary>
    public required int EndOfTextId { get; init; }

    /// <summary>Whether there were so few documents that long ones were cut into groups of paragraphs.</summary>
    public required bool CutIntoParagraphGroups { get; init; }

    /// <summary>What was left out as a duplicate.</summary>
    public required DeduplicationStatistics Deduplication { get; init; }

    /// <summary>The training part.</summary>
    public required SplitSummary Training { get; init; }

    /// <summary>The validation part.</summary>
    public required SplitSummary Validation { get; init; }

    /// <summary>Whether the same corpus with the same settings would give the same data.</summary>
    internal bool IsResultOf(string sourceFingerprint, PreparationOptions options) =>
        SourceFingerprint == sourceFingerprint
        && ValidationFraction == options.ValidationFraction
        && MostLeftOut == options.MostLeftOut
        && EndOfText == options.EndOfText
        && (
            options.Tokenizer is null
                ? TrainedVocabularySize == options.VocabularySize
                : TrainedVocabularySize is null && TokenizerFingerprint == options.Tokenizer.Fingerprint
        );

    /// <summary>Whether both describe the same ids, wherever they lie and however the corpus was named.</summary>
    internal bool IsSameDataAs(CorpusSummary other) =>
        SourceFingerprint == other.SourceFingerprint
        && TokenizerFingerprint == other.TokenizerFingerprint
        && ValidationFraction == other.ValidationFraction
        && EndOfText == other.EndOfText
        && Training.Tokens == other.Training.Tokens
        && Validation.Tokens == other.Validation.Tokens;

    /// <summary>Reads the summary of a folder.</summary>
    /// <exception cref="FileNotFoundException">The folder holds no finished data.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or of another version.</exception>
    internal static CorpusSummary Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (File.Exists(folder))
            throw new InvalidDataException($"{folder}: is a file; prepared data is a folder.");
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: missing, so the folder holds no prepared data. Prepare the data first.", path);
        try
        {
            using var file = File.OpenRead(path);
            // The version comes first: fields may differ in another one.
            using var document = JsonDocument.Parse(file);
            if (
                document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("version", out var version)
                && version.ValueKind == JsonValueKind.Number
                && version.GetDouble() != CurrentVersion
            )
                throw new InvalidDataException(
                    $"{path}: version {version}; this program reads version {CurrentVersion}. Prepare the data in another folder."
                );
            return document.Deserialize(Json.CorpusSummary)?.Validated(path) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: damaged: {error.Message} Delete the folder and prepare the data again.", error);
        }
    }

    /// <summary>Writes the summary into a folder.</summary>
    internal void Write(string folder) =>
        AtomicFile.Write(
            Path.Combine(folder, FileName),
            file =>
            {
                JsonSerializer.Serialize(file, this, Json.CorpusSummary);
                file.Write("\n"u8);
            }
        );

    private CorpusSummary Validated(string path)
    {
        var shards = Training.Shards.Concat(Validation.Shards);
        if (
            VocabularySize < 1
            || EndOfTextId < 0
            || EndOfTextId >= VocabularySize
            || shards.Any(name => name is null || Path.GetFileName(name) != name)
        )
            throw new InvalidDataException(
                $"{path}: damaged: a vocabulary size, an id or a shard's name is impossible. Delete the folder and prepare the data again."
            );
        return this;
    }
}

/// <summary>One part of prepared data.</summary>
/// <param name="Documents">Documents in it.</param>
/// <param name="Tokens">Token ids in it, one end-of-text token per document included.</param>
/// <param name="TextBytes">UTF-8 bytes of its text.</param>
/// <param name="Shards">Names of its .tok files, in order.</param>
public sealed record SplitSummary(long Documents, long Tokens, long TextBytes, IReadOnlyList<string> Shards)
{
    /// <summary>UTF-8 bytes of text per id.</summary>
    [JsonIgnore]
    public double BytesPerToken => (double)TextBytes / Tokens;
}
