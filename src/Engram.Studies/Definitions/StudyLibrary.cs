using System.IO.Enumeration;
using System.Reflection;
using System.Text.Json;

namespace Engram.Studies.Definitions;

/// <summary>The studies and sizes that come with the program, files of <c>Library</c> in the source.</summary>
public static class StudyLibrary
{
    private const string Folder = "studies/",
        PaperFolder = "paper/",
        SizesFile = "sizes/sizes.json",
        Extension = ".json";

    /// <summary>How definitions are written.</summary>
    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
    };

    private static readonly Assembly Home = typeof(StudyLibrary).Assembly;

    // The order of the paper, and of reports.
    private static readonly string[] Order =
    [
        "quickstart",
        "main",
        "allocation",
        "allocation-world",
        "infinite-memory",
        "rivals",
        "layers",
        "ablations",
        "controls",
        "sensitivity",
        "mechanism",
        "cost",
        "long-context",
    ];

    /// <summary>All studies, in the order of the paper.</summary>
    public static IReadOnlyList<Study> Studies { get; } =
    [
        .. Home.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .Select(name => Read<Study>(name))
            .OrderBy(study => Array.IndexOf(Order, study.Name) is var place and >= 0 ? place : Order.Length)
            .ThenBy(study => study.Name, StringComparer.Ordinal),
    ];

    /// <summary>All sizes, smallest first.</summary>
    public static IReadOnlyList<StudySize> Sizes { get; } = Read<IReadOnlyList<StudySize>>(SizesFile);

    /// <summary>
    /// The studies that a name stands for: one, with <c>all</c> every one that has the size, or a definition of the user's own, a file that
    /// ends in .json.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such study, or it has no such size.</exception>
    public static IReadOnlyList<Study> Named(string name, string size)
    {
        if (name == "all")
            return [.. Studies.Where(study => study.Sizes.ContainsKey(size))];
        var found = name.EndsWith(Extension, StringComparison.Ordinal)
            ? Parse<Study>(File.ReadAllText(name), name).Validated(name)
            : Studies.SingleOrDefault(study => study.Name == name)
                ?? throw new ArgumentException(
                    $"There is no study '{name}'. Studies: all, {string.Join(", ", Studies.Select(study => study.Name))}."
                );
        return found.Sizes.ContainsKey(size)
            ? [found]
            : throw new ArgumentException($"The study {name} has the sizes {string.Join(", ", found.Sizes.Keys)}, not {size}.");
    }

    /// <summary>A size.</summary>
    /// <exception cref="ArgumentException">There is no such size.</exception>
    public static StudySize Size(string name) =>
        Sizes.SingleOrDefault(size => size.Name == name)
        ?? throw new ArgumentException($"There is no size '{name}'. Sizes: {string.Join(", ", Sizes.Select(size => size.Name))}.");

    /// <summary>Published points.</summary>
    /// <param name="name">A file of <c>Library/Paper</c>.</param>
    public static PaperChart Paper(string name) => Read<PaperChart>(PaperFolder + name + Extension);

    /// <summary>Whether a name fits one of several patterns, in which * stands for any letters.</summary>
    public static bool Matches(this IReadOnlyList<string> patterns, string name) =>
        patterns.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false));

    private static T Read<T>(string resource)
    {
        using var text = new StreamReader(Home.GetManifestResourceStream(resource)!);
        return Parse<T>(text.ReadToEnd(), resource);
    }

    private static T Parse<T>(string text, string source)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, Json) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{source}: is no definition: {error.Message}", error);
        }
    }
}
