using System.Reflection;
using System.Text.Json;

namespace Engram.Models.Recipes;

/// <summary>How the models of some presets are trained, each one file <c>recipes/NAME.json</c> of the source.</summary>
public sealed record PresetRecipe
{
    private const string Folder = "recipes/";
    private static readonly Assembly Home = typeof(PresetRecipe).Assembly;
    private static readonly Lazy<IReadOnlyList<PresetRecipe>> Known = new(ReadAll);

    /// <summary>The presets, by name.</summary>
    public required IReadOnlyList<string> Presets { get; init; }

    /// <summary>Where the values come from.</summary>
    public required string Source { get; init; }

    /// <summary>The values; every one is stated.</summary>
    public required TrainingRecipe Recipe { get; init; }

    /// <summary>All recipes.</summary>
    public static IReadOnlyList<PresetRecipe> All => Known.Value;

    /// <summary>The recipe of a preset.</summary>
    /// <param name="preset">One of <see cref="Configuration.Presets.Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such preset; the message lists those there are.</exception>
    public static PresetRecipe Of(string preset)
    {
        Configuration.Presets.RequireKnown(preset);
        return All.Single(recipe => recipe.Presets.Contains(preset));
    }

    /// <summary>As JSON, the names of the presets aside.</summary>
    public string ToJson() => JsonSerializer.Serialize(this with { Presets = [] }, RecipeJson.Default.PresetRecipe);

    private static PresetRecipe[] ReadAll() =>
        [
            .. Home.GetManifestResourceNames()
                .Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(name =>
                {
                    using var text = Home.GetManifestResourceStream(name)!;
                    var read = JsonSerializer.Deserialize(text, RecipeJson.Default.PresetRecipe)!;
                    _ = read.Recipe.Validated();
                    return read;
                }),
        ];
}
