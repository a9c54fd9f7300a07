using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>Everything a tokenizer.json says, checked for consistency but not yet built into working parts.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>Where it comes from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>Vocabulary strings of the model and of the added tokens; ids 0 … Count − 1.</summary>
    public required TokenTable Tokens { get; init; }

    /// <summary>Ids that belong to the model's own vocabulary; the others exist as added tokens only.</summary>
    public required bool[] InModel { get; init; }

    /// <summary>In order of rank.</summary>
    public required Merge[] Merges { get; init; }

    /// <summary>In order of id.</summary>
    public required AddedToken[] AddedTokens { get; init; }

    /// <summary>Token of the model for characters outside its alphabet. Never produced, because the alphabet is complete; kept for writing.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Kept for writing.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Kept for writing; without effect because the alphabet is complete.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is a whole vocabulary entry is taken without merging.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Limits for callers of the reference library; kept for writing.</summary>
    public JsonElement? Truncation { get; init; }

    /// <inheritdoc cref="Truncation"/>
    public JsonElement? Padding { get; init; }

    /// <summary>See <see cref="Tokenization.Normalizer.FromJson"/>.</summary>
    public JsonElement? Normalizer { get; init; }

    /// <summary>See <see cref="Tokenization.PreTokenizer.FromJson"/>.</summary>
    public JsonElement? PreTokenizer { get; init; }

    /// <summary>See <see cref="SequenceTemplate.FromJson"/>.</summary>
    public JsonElement? PostProcessor { get; init; }

    /// <summary>ByteLevel, alone or before Fuse.</summary>
    public JsonElement? Decoder { get; init; }

    /// <summary>The section of the file with the given key.</summary>
    public TokenizerComponent Section(string name, JsonElement? json) => new(json ?? default, Source, name);
}
