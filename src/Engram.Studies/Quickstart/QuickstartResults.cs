using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Storage;
using Engram.Studies.Runs;
using Engram.Studies.Statistics;
using Engram.Training;

namespace Engram.Studies.Quickstart;

/// <summary>What a quickstart measured: the file <c>results.json</c>. Arms and losses at the top are those of the first seed.</summary>
public sealed record QuickstartResults
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The models of the first seed, in the order of the study.</summary>
    public required IReadOnlyList<ArmResult> Arms { get; init; }

    /// <summary>Validation loss of the first seed's engram model with its memory switched off, nats.</summary>
    public required double MemoryOffLoss { get; init; }

    /// <summary>Validation loss of the first seed's engram model with the rows of each table permuted, nats.</summary>
    public required double ShuffledRowsLoss { get; init; }

    /// <summary>Wall time of the call that wrote this, seconds; runs that were reused took none of it.</summary>
    public required double Seconds { get; init; }

    /// <summary>Everything measured, seed by seed.</summary>
    public required IReadOnlyList<SeedResult> Seeds { get; init; }

    /// <summary>Each arm over all seeds.</summary>
    public required IReadOnlyList<ArmStatistics> Statistics { get; init; }

    /// <summary>Differences between arms, paired by seed.</summary>
    public required IReadOnlyList<PairedDifference> Differences { get; init; }

    /// <summary>The corpus.</summary>
    public required CorpusFigures Corpus { get; init; }

    /// <summary>How every arm was trained; the seed is each run's own.</summary>
    public required TrainingOptions Training { get; init; }

    /// <summary>Where it ran.</summary>
    public required Machine Machine { get; init; }

    /// <summary>Puts measurements together.</summary>
    /// <param name="study">Arms and comparisons.</param>
    /// <param name="seeds">Measurements, at least one, every arm in each.</param>
    /// <param name="corpus">The corpus.</param>
    /// <param name="seconds">Wall time.</param>
    internal static QuickstartResults Of(QuickstartStudy study, IReadOnlyList<SeedResult> seeds, CorpusFigures corpus, double seconds)
    {
        double[] Losses(string arm) => [.. seeds.Select(seed => seed.Arm(arm).ValidationLoss)];
        return new QuickstartResults
        {
            Arms = seeds[0].Arms,
            MemoryOffLoss = seeds[0].MemoryOffLoss,
            ShuffledRowsLoss = seeds[0].ShuffledRowsLoss,
            Seconds = seconds,
            Seeds = seeds,
            Statistics =
            [
                .. study.Arms.Select(arm => new ArmStatistics(
                    arm.Name,
                    SeedStatistics.Of(Losses(arm.Name)),
                    SeedStatistics.Of([.. seeds.Select(seed => seed.Arm(arm.Name).BitsPerByte)]),
                    SeedStatistics.Of([.. seeds.Select(seed => seed.Arm(arm.Name).TokensPerSecond)])
                )),
            ],
            Differences =
            [
                .. study.Comparisons.Select(pair => PairedDifference.Of(pair.Arm, Losses(pair.Arm), pair.Baseline, Losses(pair.Baseline))),
            ],
            Corpus = corpus,
            Training = study.Training,
            Machine = Machine.This(),
        };
    }

    /// <summary>The difference between two arms.</summary>
    /// <exception cref="InvalidOperationException">They are not compared.</exception>
    internal PairedDifference Difference(string arm, string baseline) =>
        Differences.Single(pair => pair.Arm == arm && pair.Baseline == baseline);

    /// <summary>The results as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads a file of results.</summary>
    /// <returns>Null if there is no such file.</returns>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static QuickstartResults? Read(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<QuickstartResults>(File.ReadAllText(path), Json) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"{path}: damaged: {error.Message} Delete the file; the trained models beside it will be measured again.",
                error
            );
        }
    }

    /// <summary>
    /// The same with the models where they lie for this call: the paths in a file begin with the output folder as the call that wrote it
    /// was given it.
    /// </summary>
    internal QuickstartResults WithModelsIn(QuickstartFolder folder)
    {
        IReadOnlyList<SeedResult> seeds =
        [
            .. Seeds.Select(seed =>
                seed with
                {
                    Arms = [.. seed.Arms.Select(arm => arm with { Model = folder.Model(seed.Seed, arm.Name) })],
                }
            ),
        ];
        return this with { Seeds = seeds, Arms = seeds[0].Arms };
    }

    internal void Write(string path) => AtomicFile.WriteAllText(path, ToJson() + "\n");
}

/// <summary>One trained model.</summary>
/// <param name="Name">The arm.</param>
/// <param name="TotalParameters">All parameters, the tied vocabulary matrix once.</param>
/// <param name="ActiveParameters">Those that one token touches, without the vocabulary matrix.</param>
/// <param name="MemoryParameters">Table values, part of the total; 0 without memory.</param>
/// <param name="ValidationLoss">Mean cross-entropy per validation token at the end, nats.</param>
/// <param name="BitsPerByte">The same in bits per UTF-8 byte of text, which does not depend on the tokenizer.</param>
/// <param name="TokensPerSecond">Training speed in one thread, the other arms running beside it.</param>
/// <param name="TrainingSeconds">Wall time of its run, validations included.</param>
/// <param name="Model">Its folder.</param>
public sealed record ArmResult(
    string Name,
    long TotalParameters,
    long ActiveParameters,
    long MemoryParameters,
    double ValidationLoss,
    double BitsPerByte,
    double TokensPerSecond,
    double TrainingSeconds,
    string Model
);

/// <summary>What was measured with one seed.</summary>
/// <param name="Seed">Of starting values and data order.</param>
/// <param name="Arms">The models, in the order of the study.</param>
/// <param name="MemoryOffLoss">Validation loss of engram with its memory switched off, nats.</param>
/// <param name="ShuffledRowsLoss">Validation loss of engram with the rows of each table permuted, nats.</param>
/// <param name="OneRowMemoryOffLoss">Validation loss of the control with its memory switched off, nats.</param>
/// <param name="Prompt">What the samples continue: the beginning of a validation document.</param>
/// <param name="Samples">Texts written by the models.</param>
public sealed record SeedResult(
    long Seed,
    IReadOnlyList<ArmResult> Arms,
    double MemoryOffLoss,
    double ShuffledRowsLoss,
    double OneRowMemoryOffLoss,
    string Prompt,
    IReadOnlyList<TextSample> Samples
)
{
    /// <summary>One of the models.</summary>
    /// <exception cref="InvalidOperationException">There is no such arm.</exception>
    internal ArmResult Arm(string name) => Arms.Single(arm => arm.Name == name);
}

/// <summary>A text that a model wrote.</summary>
/// <param name="Arm">The model.</param>
/// <param name="Text">What it wrote after the prompt.</param>
public sealed record TextSample(string Arm, string Text);

/// <summary>One arm over all seeds.</summary>
/// <param name="Name">The arm.</param>
/// <param name="ValidationLoss">Nats per token.</param>
/// <param name="BitsPerByte">Bits per byte of text.</param>
/// <param name="TokensPerSecond">Training speed.</param>
public sealed record ArmStatistics(string Name, SeedStatistics ValidationLoss, SeedStatistics BitsPerByte, SeedStatistics TokensPerSecond);

/// <summary>The corpus in figures.</summary>
/// <param name="Source">As it was named.</param>
/// <param name="Documents">Documents without duplicates, training and validation.</param>
/// <param name="TrainingTokens">Tokens of the training part.</param>
/// <param name="ValidationTokens">Tokens of the validation part, of which an evenly spaced sample is measured.</param>
/// <param name="VocabularySize">Ids of the tokenizer.</param>
/// <param name="BytesPerToken">UTF-8 bytes of validation text per token.</param>
public sealed record CorpusFigures(
    string Source,
    long Documents,
    long TrainingTokens,
    long ValidationTokens,
    int VocabularySize,
    double BytesPerToken
);
