using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>Everything a tokenizer.json says, checked for consistency but not yet built into working parts.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>Where it comes from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>Vocabulary strings of the model and of the added tokens.</summary>
    public required TokenTable Tokens { get; init; }

    /// <summary>In order of rank.</summary>
    public required Merge[] Merges { get; init; }

    /// <summary>In order of id.</summary>
    public required AddedToken[] AddedTokens { get; init; }

    /// <summary>Token for bytes that the vocabulary lacks; null drops them.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether neighbouring unknown bytes become one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>
    /// Whether a byte that the vocabulary lacks is looked for by the names of the bytes of its symbol, such as "&lt;0xC4&gt;", first.
    /// </summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is a whole vocabulary entry is taken without merging.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Limits that the reference library applies to texts; here they have no effect and are kept for writing.</summary>
    public JsonElement? Truncation { get; init; }

    /// <inheritdoc cref="Truncation"/>
    public JsonElement? Padding { get; init; }

    /// <summary>See <see cref="Tokenization.Normalizer.FromJson"/>.</summary>
    public JsonElement? Normalizer { get; init; }

    /// <summary>See <see cref="Tokenization.PreTokenizer.FromJson"/>.</summary>
    public JsonElement? PreTokenizer { get; init; }

    /// <summary>See <see cref="SequenceTemplate.FromJson"/>.</summary>
    public JsonElement? PostProcessor { get; init; }

    /// <summary>ByteLevel, alone or before Fuse; absent in files that the reference cannot decode.</summary>
    public JsonElement? Decoder { get; init; }

    /// <summary>The section of the file with the given key.</summary>
    public TokenizerComponent Section(string name, JsonElement? json) => new(json ?? default, Source, name);
}
