using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Storage;

namespace Engram.Models.Folders;

/// <summary>
/// What a model folder says of the training: a model reads as many tokens as its configuration allows, and may have been trained on shorter
/// texts.
/// </summary>
/// <param name="Length">Tokens of the longest sequences that were trained on.</param>
public sealed record TrainingNote(int Length)
{
    /// <summary>Reads the note of a model folder; null where there is none.</summary>
    /// <param name="folder">The model folder.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static TrainingNote? Read(string folder)
    {
        var path = Path.Combine(folder, ModelFolder.TrainingFile);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), TrainingNoteJson.Default.TrainingNote) is { Length: > 0 } note
                ? note
                : throw new JsonException("length is no positive number");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"{path}: damaged: {error.Message} Delete the file; nothing but the note on the trained length is lost.",
                error
            );
        }
    }

    /// <summary>Writes the note into a model folder.</summary>
    /// <param name="folder">The model folder.</param>
    public void Write(string folder) =>
        AtomicFile.WriteAllBytes(
            Path.Combine(folder, ModelFolder.TrainingFile),
            JsonSerializer.SerializeToUtf8Bytes(this, TrainingNoteJson.Default.TrainingNote)
        );
}

/// <summary>How the note is written and read, without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TrainingNote))]
internal sealed partial class TrainingNoteJson : JsonSerializerContext;
