namespace Engram.Corpora.World;

/// <summary>
/// A person, a place or a work. Its name is two words, each of which is part of many names: only both together tell who it is.
/// </summary>
/// <param name="Id">Its number among all entities.</param>
/// <param name="Kind">What it is.</param>
/// <param name="First">First word of the name.</param>
/// <param name="Last">Second word of the name.</param>
public sealed record Entity(int Id, EntityKind Kind, string First, string Last)
{
    /// <summary>Both words.</summary>
    public string Name => $"{First} {Last}";
}

/// <summary>How the text states a fact, always in the same way.</summary>
public enum FactKey
{
    /// <summary>Name, relation, value: a three-gram determines the value.</summary>
    Contiguous,

    /// <summary>Name, an insertion, relation, value: an n-gram holds the name, none both the name and the relation.</summary>
    Separated,

    /// <summary>First name, words, last name, words, relation, value: no n-gram of up to four tokens holds even the name.</summary>
    Scattered,
}

/// <summary>A statement that is true in the world.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Subject">Whom it is about.</param>
/// <param name="Relation">Which attribute.</param>
/// <param name="Value">The value, as the text has it.</param>
/// <param name="ValueEntity">The place or work that the value names; null where it is a word.</param>
/// <param name="Key">How it is stated.</param>
/// <param name="Exposures">How often the text states it, not counting two-hop sentences.</param>
/// <param name="Region">
/// The region whose documents state it, where another item has the same name; null for facts that hold everywhere.
/// </param>
/// <param name="OutOfDistribution">Whether no two-hop sentence of the text uses it.</param>
/// <param name="Bits">What a reader learns from it who knows only the possible values: log₂ of their number.</param>
public sealed record Fact(
    int Id,
    Entity Subject,
    Relation Relation,
    string Value,
    Entity? ValueEntity,
    FactKey Key,
    long Exposures,
    string? Region,
    bool OutOfDistribution,
    double Bits
);

/// <summary>Which two-hop sentences the text holds (Wang et al. 2024, "Grokked transformers", arXiv 2405.15071).</summary>
public enum CompositionSplit
{
    /// <summary>The text states it.</summary>
    Trained,

    /// <summary>The text does not state it, but states others with either fact.</summary>
    HeldOut,

    /// <summary>The text states no two-hop sentence with either of its facts.</summary>
    OutOfDistribution,
}

/// <summary>Two facts of which the second is about the value of the first.</summary>
/// <param name="Id">Its number.</param>
/// <param name="First">A person's place or work.</param>
/// <param name="Second">An attribute of that place or work.</param>
/// <param name="Split">Whether the text states it.</param>
public sealed record Composition(int Id, Fact First, Fact Second, CompositionSplit Split);
