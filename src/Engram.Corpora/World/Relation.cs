namespace Engram.Corpora.World;

/// <summary>What a subject is.</summary>
public enum EntityKind
{
    /// <summary>A person: first and last name.</summary>
    Person,

    /// <summary>A town.</summary>
    Place,

    /// <summary>A book.</summary>
    Work,
}

/// <summary>What the value of a relation is one of.</summary>
public enum ValuePool
{
    /// <summary>Musical instruments.</summary>
    Instruments,

    /// <summary>Animals.</summary>
    Animals,

    /// <summary>Drinks.</summary>
    Drinks,

    /// <summary>Things made by hand.</summary>
    Products,

    /// <summary>Crops.</summary>
    Crops,

    /// <summary>Stones.</summary>
    Stones,

    /// <summary>The places of the world.</summary>
    Places,

    /// <summary>The works of the world.</summary>
    Works,
}

/// <summary>
/// An attribute: its word stands between a name and a value, so that two words of name and this one are the three-gram that a contiguous
/// fact has for a key.
/// </summary>
/// <param name="Subject">Whose attribute it is.</param>
/// <param name="Link">The word, of no other relation.</param>
/// <param name="Pool">What values it has.</param>
public sealed record Relation(EntityKind Subject, string Link, ValuePool Pool)
{
    // Bridges come first: they are what a person has in any case.
    /// <summary>The relations of a person; the first two lead to another entity.</summary>
    internal static readonly Relation[] OfPersons =
    [
        new(EntityKind.Person, "inhabits", ValuePool.Places),
        new(EntityKind.Person, "reads", ValuePool.Works),
        new(EntityKind.Person, "plays", ValuePool.Instruments),
        new(EntityKind.Person, "fears", ValuePool.Animals),
        new(EntityKind.Person, "drinks", ValuePool.Drinks),
        new(EntityKind.Person, "makes", ValuePool.Products),
    ];

    /// <summary>The relations of a place.</summary>
    internal static readonly Relation[] OfPlaces =
    [
        new(EntityKind.Place, "grows", ValuePool.Crops),
        new(EntityKind.Place, "sells", ValuePool.Stones),
        new(EntityKind.Place, "shelters", ValuePool.Animals),
        new(EntityKind.Place, "exports", ValuePool.Products),
    ];

    /// <summary>The relations of a work.</summary>
    internal static readonly Relation[] OfWorks =
    [
        new(EntityKind.Work, "describes", ValuePool.Crops),
        new(EntityKind.Work, "mentions", ValuePool.Stones),
        new(EntityKind.Work, "praises", ValuePool.Animals),
        new(EntityKind.Work, "names", ValuePool.Instruments),
    ];

    /// <summary>All of them.</summary>
    internal static IEnumerable<Relation> All => [.. OfPersons, .. OfPlaces, .. OfWorks];

    /// <summary>
    /// The relations of a person whose values are words: what a passage tells, and what two persons of one name differ in.
    /// </summary>
    internal static ReadOnlySpan<Relation> Traits => OfPersons.AsSpan(2);

    /// <summary>The values, if they are words and not names.</summary>
    internal string[] Words =>
        Pool switch
        {
            ValuePool.Instruments => Lexicon.Instruments,
            ValuePool.Animals => Lexicon.Animals,
            ValuePool.Drinks => Lexicon.Drinks,
            ValuePool.Products => Lexicon.Products,
            ValuePool.Crops => Lexicon.Crops,
            ValuePool.Stones => Lexicon.Stones,
            _ => [],
        };
}
