using System.Text.Json;

namespace Engram.Studies.Measures;

/// <summary>The curves of one training run, as its metrics.jsonl holds them.</summary>
/// <param name="Training">One point per optimizer update.</param>
/// <param name="Validation">One point per validation, in order.</param>
public sealed record TrainingCurve(IReadOnlyList<TrainingPoint> Training, IReadOnlyList<ValidationPoint> Validation)
{
    /// <summary>The name of the file in a run's folder.</summary>
    public const string FileName = "metrics.jsonl";

    private static readonly TrainingCurve Empty = new([], []);

    /// <summary>Reads the curves of a run, which may still be going on: a line that is not yet complete is left out.</summary>
    /// <param name="runFolder">The run's folder; without the file there are no points.</param>
    /// <exception cref="InvalidDataException">A line is no measurement; the message names file and line.</exception>
    public static TrainingCurve Read(string runFolder)
    {
        var path = Path.Combine(runFolder, FileName);
        if (!File.Exists(path))
            return Empty;
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        var text = reader.ReadToEnd();
        var (training, validation) = (new List<TrainingPoint>(), new List<ValidationPoint>());
        var number = 0;
        foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            number++;
            try
            {
                Add(JsonDocument.Parse(line).RootElement, training, validation);
            }
            catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new InvalidDataException($"{path}: line {number} is no measurement: {error.Message}", error);
            }
        }
        return new TrainingCurve(training, validation);
    }

    private static void Add(JsonElement line, List<TrainingPoint> training, List<ValidationPoint> validation)
    {
        var step = line.GetProperty("step").GetInt64();
        if (line.TryGetProperty("validation_loss", out var loss))
            validation.Add(new ValidationPoint(step, Number(loss), Number(line.GetProperty("bits_per_byte"))));
        else
            training.Add(
                new TrainingPoint(
                    step,
                    line.GetProperty("tokens").GetInt64(),
                    Number(line.GetProperty("loss")),
                    Number(line.GetProperty("tokens_per_second"))
                )
            );
    }

    // JSON has no NaN: what is not finite is written as null.
    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Null ? double.NaN : value.GetDouble();
}

/// <summary>One optimizer update.</summary>
/// <param name="Step">Updates done, from 1.</param>
/// <param name="Tokens">Training tokens seen so far.</param>
/// <param name="Loss">Mean cross-entropy of the update's tokens, nats.</param>
/// <param name="TokensPerSecond">Speed.</param>
public sealed record TrainingPoint(long Step, long Tokens, double Loss, double TokensPerSecond);

/// <summary>One validation.</summary>
/// <param name="Step">Updates done before it.</param>
/// <param name="Loss">Mean cross-entropy per token, nats.</param>
/// <param name="BitsPerByte">The same in bits per UTF-8 byte of text.</param>
public sealed record ValidationPoint(long Step, double Loss, double BitsPerByte);
