using System.Text.Json;

namespace Engram.Corpora.Files;

/// <summary>The text of one JSON value: a string, or an object's TextField field.</summary>
internal static class JsonText
{
    /// <summary>The text.</summary>
    /// <param name="value">An object or a string.</param>
    /// <param name="place">Where it stands, for messages.</param>
    /// <param name="field">The object's field.</param>
    /// <exception cref="InvalidDataException">There is no such text; the message says what is there instead.</exception>
    public static string Of(JsonElement value, string place, TextField field)
    {
        try
        {
            if (value.ValueKind == JsonValueKind.String)
                return value.GetString()!;
            if (value.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{place}: expected a JSON object, found {value.ValueKind}.");
            if (!value.TryGetProperty(field.Name, out var text))
                throw new InvalidDataException($"{place}: no field \"{field.Name}\"; the line has {FieldNames(value)}. {field.Remedy}");
            return text.ValueKind == JsonValueKind.String
                ? text.GetString()!
                : throw new InvalidDataException($"{place}: field \"{field.Name}\" is {text.ValueKind}, not a string. {field.Remedy}");
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{place}: field \"{field.Name}\" holds half a surrogate pair.", error);
        }
    }

    private static string FieldNames(JsonElement value)
    {
        var names = value.EnumerateObject().Take(8).Select(property => $"\"{property.Name}\"").ToArray();
        return names.Length == 0 ? "no fields" : string.Join(", ", names);
    }
}
