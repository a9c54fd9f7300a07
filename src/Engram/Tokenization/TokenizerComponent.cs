using System.Text.Json;
using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>One section of a tokenizer.json (normalizer, pre-tokenizer, …) with the words to complain about it.</summary>
/// <param name="Json">The section's value.</param>
/// <param name="Source">File the section comes from.</param>
/// <param name="Section">Its key, for messages.</param>
internal readonly record struct TokenizerComponent(JsonElement Json, string Source, string Section)
{
    /// <summary>The component's kind.</summary>
    public string Type => Text("type");

    public InvalidDataException Error(string message) => new($"{Source}: {Section}: {message}");

    /// <summary>The complaint about a kind this library does not know.</summary>
    public InvalidDataException UnknownType(string supported) =>
        Error($"type {Excerpt.Of(Type)} is not supported. Supported: {supported}.");

    public JsonElement Property(string name) =>
        Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(name, out var value)
            ? value
            : throw Error($"{Excerpt.Of(name)} is missing");

    public bool Has(string name) => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(name, out _);

    public string Text(string name) => Text(Property(name), name);

    public string Text(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Error($"\"{name}\" must be a string");

    public bool Flag(string name, bool absent)
    {
        if (Json.ValueKind != JsonValueKind.Object || !Json.TryGetProperty(name, out var value))
            return absent;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Error($"\"{name}\" must be true or false"),
        };
    }

    /// <summary>The members of a Sequence.</summary>
    public IEnumerable<TokenizerComponent> Children(string name)
    {
        var list = Property(name);
        if (list.ValueKind != JsonValueKind.Array)
            throw Error($"\"{name}\" must be an array");
        foreach (var child in list.EnumerateArray())
            yield return this with
            {
                Json = child,
            };
    }

    /// <summary>The "pattern" of Split and Replace: a plain string or a regular expression, not empty.</summary>
    public (string Pattern, bool IsRegex) Pattern()
    {
        var json = Property("pattern");
        if (json.ValueKind != JsonValueKind.Object)
            throw Error("\"pattern\" must be an object");
        var (text, isRegex) =
            json.TryGetProperty("String", out var literal) ? (Text(literal, "String"), false)
            : json.TryGetProperty("Regex", out var regex) ? (Text(regex, "Regex"), true)
            : throw Error("\"pattern\" must hold a \"String\" or a \"Regex\"");
        return text.Length > 0 ? (text, isRegex) : throw Error("\"pattern\" is empty");
    }

    /// <summary>The "pattern", ready to run.</summary>
    public RunePattern CompiledPattern()
    {
        var (pattern, isRegex) = Pattern();
        try
        {
            return isRegex ? RunePattern.Parse(pattern) : RunePattern.Literal(pattern);
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"{Source}: {Section}: the pattern {Excerpt.Of(pattern)} {e.Message}", e);
        }
    }
}
