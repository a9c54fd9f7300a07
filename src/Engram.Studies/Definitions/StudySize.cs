using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Corpora.World;

namespace Engram.Studies.Definitions;

/// <summary>
/// What <c>--size</c> changes of every study alike: the models that arms start from, the recipe, the corpora. All of them are
/// <c>Library/sizes.json</c>.
/// </summary>
public sealed record StudySize
{
    /// <summary>smoke, nano, tiny or small.</summary>
    public required string Name { get; init; }

    /// <summary>What it is for, one sentence.</summary>
    public required string Description { get; init; }

    /// <summary>The models, by name: dense, moe and engram.</summary>
    public required IReadOnlyDictionary<string, BaseModel> Models { get; init; }

    /// <summary>Keys of the recipe that differ from the defaults; updates follow from a setting's tokens.</summary>
    public required JsonObject Training { get; init; }

    /// <summary>Sequences of a validation.</summary>
    public required int ValidationSequences { get; init; }

    /// <summary>Updates between checkpoints.</summary>
    public required long CheckpointEvery { get; init; }

    /// <summary>The texts, by name.</summary>
    public required IReadOnlyDictionary<string, StudyCorpus> Corpora { get; init; }
}

/// <summary>A model that arms start from.</summary>
/// <param name="Preset">One of the presets of the program.</param>
/// <param name="Changes">Keys of <c>config.json</c>.</param>
public sealed record BaseModel(string Preset, JsonObject Changes);

/// <summary>A text that is trained on.</summary>
public sealed record StudyCorpus
{
    /// <summary><c>dotnet-docs</c>, <c>text</c> (the folder that the user names) or <c>world</c> (generated).</summary>
    public required string Source { get; init; }

    /// <summary>Ids of its tokenizer.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Most documents read; null for all.</summary>
    public int? MaxDocuments { get; init; }

    /// <summary>
    /// Settings of the generator, for <c>world</c>: those of <see cref="Engram.Corpora.World.WorldOptions"/> that differ from its defaults.
    /// </summary>
    public JsonObject? World { get; init; }

    /// <summary>The world in numbers; null where the text is none.</summary>
    internal WorldOptions? WorldOptions() => World?.Deserialize<WorldOptions>(StudyLibrary.Json);
}
