using System.Reflection;

namespace Engram.Models.Configuration;

/// <summary>The configurations that come with the program, each one file <c>presets/NAME.json</c> of the source.</summary>
public static class Presets
{
    private const string Folder = "presets/",
        Extension = ".json";
    private static readonly Assembly Home = typeof(Presets).Assembly;

    /// <summary>Names of all presets, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Home.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .Select(name => name[Folder.Length..^Extension.Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The configuration of a preset.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such preset; the message lists those there are.</exception>
    public static ModelConfiguration Load(string name)
    {
        RequireKnown(name);
        using Stream text = Home.GetManifestResourceStream(Folder + name + Extension)!;
        byte[] utf8 = new byte[text.Length];
        text.ReadExactly(utf8);
        return ModelConfiguration.Parse(utf8, "preset " + name);
    }

    internal static void RequireKnown(string name)
    {
        if (!Names.Contains(name))
            throw new ArgumentException($"There is no preset '{name}'. Presets: {string.Join(", ", Names)}.", nameof(name));
    }
}
