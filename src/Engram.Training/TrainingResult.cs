using System.Text.Json;
using Engram.Storage;

namespace Engram.Training;

/// <summary>How a finished run ended; also <c>result.json</c> in its folder.</summary>
/// <param name="Steps">Optimizer updates.</param>
/// <param name="Tokens">Training tokens.</param>
/// <param name="ValidationLoss">Nats per token at the end.</param>
/// <param name="BitsPerByte">The same loss in bits per UTF-8 byte of text.</param>
/// <param name="TokensPerSecond">Training tokens over training time, validation and checkpoints excluded.</param>
/// <param name="MatmulPeakFlops">Measured float32 matrix-product rate, per second.</param>
/// <param name="PeakShare">Useful training arithmetic per second over that rate.</param>
/// <param name="Seconds">Wall time, interruptions excluded.</param>
/// <param name="ModelFolder">Where the model is.</param>
public sealed record TrainingResult(
    long Steps,
    long Tokens,
    double ValidationLoss,
    double BitsPerByte,
    double TokensPerSecond,
    double MatmulPeakFlops,
    double PeakShare,
    double Seconds,
    string ModelFolder
)
{
    /// <summary>Name of the file in the run folder.</summary>
    public const string FileName = "result.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>The result as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads the result of a finished run, or null when it has not finished.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static TrainingResult? Read(string runFolder)
    {
        var path = Path.Combine(runFolder, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<TrainingResult>(File.ReadAllText(path), Json);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    internal void Write(string path) => AtomicFile.WriteAllText(path, ToJson());
}

/// <summary>Where a run stands.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="Steps">Updates of the whole run.</param>
/// <param name="Loss">Training loss of the last update, nats per token.</param>
/// <param name="ValidationLoss">Validation loss, in the reports that bring a new one.</param>
/// <param name="LearningRate">Rate of the last update.</param>
/// <param name="GradientNorm">Global gradient norm before clipping.</param>
/// <param name="TokensPerSecond">Of the last updates.</param>
/// <param name="PeakShare">Useful arithmetic over the measured matrix-product peak.</param>
/// <param name="Elapsed">Wall time of the run so far.</param>
/// <param name="Remaining">Estimated wall time to its end.</param>
public sealed record TrainingProgress(
    long Step,
    long Steps,
    double Loss,
    double? ValidationLoss,
    double LearningRate,
    double GradientNorm,
    double TokensPerSecond,
    double PeakShare,
    TimeSpan Elapsed,
    TimeSpan Remaining
);
