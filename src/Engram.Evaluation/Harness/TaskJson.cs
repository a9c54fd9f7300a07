using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Harness;

/// <summary>
/// Reading and writing of task files. By reflection: generated code would set every property that a file leaves out to null in place of its
/// default.
/// </summary>
internal sealed class TaskJson
{
    private static readonly JsonDocumentOptions Reading = new()
    {
        AllowDuplicateProperties = false,
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
    };

    private readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        WriteIndented = true,
        RespectNullableAnnotations = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    private TaskJson() => TaskFile = (JsonTypeInfo<TaskFile>)_options.GetTypeInfo(typeof(TaskFile));

    public static TaskJson Default { get; } = new();

    public JsonTypeInfo<TaskFile> TaskFile { get; }

    /// <summary>
    /// The task of a file. Keys and kinds of values are judged here, so that messages speak of the file and not of its reader.
    /// </summary>
    /// <param name="utf8">The file.</param>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="InvalidDataException">It is no task; the message names the key, and what may stand there.</exception>
    public TaskFile Parse(Stream utf8, string source)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(utf8, Reading);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"{source}: {(error.LineNumber is { } line ? $"line {line + 1}: " : "")}no JSON: {error.Message.Split(" LineNumber:")[0].Split(" Path:")[0]}",
                error
            );
        }
        using (document)
        {
            Check(document.RootElement, typeof(TaskFile), "", source);
            return document.RootElement.Deserialize(TaskFile)!;
        }
    }

    /// <summary>Requires a value to be of a type, and what it holds as well.</summary>
    private void Check(JsonElement value, Type type, string path, string source)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        var typeInfo = _options.GetTypeInfo(type);
        var (expected, fits) = type switch
        {
            _ when type == typeof(string) => ("a text in quotes", value.ValueKind == JsonValueKind.String),
            _ when type == typeof(int) => (
                "a whole number, without quotes",
                value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out _)
            ),
            _ when type == typeof(double) => ("a number, without quotes", value.ValueKind == JsonValueKind.Number),
            _ when type == typeof(bool) => ("true or false, without quotes", value.ValueKind is JsonValueKind.True or JsonValueKind.False),
            { IsEnum: true } => ("a text in quotes", value.ValueKind == JsonValueKind.String),
            _ when typeInfo.Kind == JsonTypeInfoKind.Enumerable => ("a list, [ … ]", value.ValueKind == JsonValueKind.Array),
            _ => ("an object, { … }", value.ValueKind == JsonValueKind.Object),
        };
        if (!fits)
            throw new InvalidDataException($"{source}: {(path.Length > 0 ? path : "the file")} is {Shown(value)}; it must be {expected}.");
        if (type.IsEnum)
            CheckName(value.GetString()!, type, path, source);
        else if (typeInfo.Kind == JsonTypeInfoKind.Enumerable)
            foreach (var (i, item) in value.EnumerateArray().Index())
                Check(item, typeInfo.ElementType!, $"{path}[{i}]", source);
        else if (typeInfo.Kind == JsonTypeInfoKind.Dictionary)
            foreach (var entry in value.EnumerateObject())
                Check(entry.Value, typeInfo.ElementType!, $"{path}.{entry.Name}", source);
        else if (typeInfo.Kind == JsonTypeInfoKind.Object && type != typeof(JsonObject))
            CheckKeys(value, typeInfo, path, source);
    }

    private void CheckName(string name, Type type, string path, string source)
    {
        string[] names = [.. Enum.GetValues(type).Cast<object>().Select(one => JsonSerializer.Serialize(one, type, _options).Trim('"'))];
        if (!names.Contains(name))
            throw new InvalidDataException(
                $"{source}: {path} is \"{name}\"; it must be one of {string.Join(", ", names)}.{NearestNames.Ask(name, names)}"
            );
    }

    private void CheckKeys(JsonElement value, JsonTypeInfo type, string path, string source)
    {
        var known = type
            .Properties.Where(property => property.Get is not null || property.Set is not null)
            .ToDictionary(property => property.Name);
        var within = path.Length > 0 ? $"{path}: " : "";
        foreach (var entry in value.EnumerateObject())
        {
            if (!known.TryGetValue(entry.Name, out var property))
                throw new InvalidDataException(
                    $"{source}: {within}there is no key \"{entry.Name}\".{NearestNames.Ask(entry.Name, known.Keys)} Keys here are {string.Join(", ", known.Keys)}."
                );
            if (entry.Value.ValueKind != JsonValueKind.Null || !property.IsSetNullable)
                Check(entry.Value, property.PropertyType, path.Length > 0 ? $"{path}.{entry.Name}" : entry.Name, source);
        }
        string[] absent =
        [
            .. known
                .Values.Where(property =>
                    (property.IsRequired || property.AssociatedParameter is { HasDefaultValue: false, IsNullable: false })
                    && !value.TryGetProperty(property.Name, out _)
                )
                .Select(property => property.Name),
        ];
        if (absent.Length > 0)
            throw new InvalidDataException(
                $"{source}: {within}{string.Join(" and ", absent.Select(key => $"\"{key}\""))} must be given, {(absent.Length == 1 ? "and is" : "and are")} not."
            );
    }

    private static string Shown(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => $"\"{value.GetString()}\", a text",
            JsonValueKind.Array => "a list",
            JsonValueKind.Object => "an object",
            _ => value.GetRawText(),
        };
}
