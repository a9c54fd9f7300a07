namespace Engram.Corpora.World;

/// <summary>
/// The sentences of a world. A statement is what comes before the value, which ends with the relation's word and has a space in front; the
/// value and what follows it are the caller's. Of the openings and insertions every eighth pair of words is kept for questions: their words
/// are known, the pairs are not.
/// </summary>
internal static class Phrasing
{
    private static readonly int Pairs = Lexicon.Speakers.Length;

    /// <summary>How a document about a region begins.</summary>
    public static string Heading(string region) => $"A tale of the {region}.";

    /// <summary>How a passage begins.</summary>
    public const string NoteHeading = "A note.";

    /// <summary>How a passage ends, up to the value.</summary>
    public static string NoteRecall(Entity person, Relation relation) => $" This note says that {person.Name} {relation.Link}";

    /// <summary>A statement of a fact in its own manner.</summary>
    public static string Statement(Fact fact, WorldRandom random, bool forQuestion) =>
        Opening(random, forQuestion) + Subject(fact, random, forQuestion) + " " + fact.Relation.Link;

    /// <summary>A statement about somebody, name and relation side by side.</summary>
    public static string Plain(Entity person, Relation relation, WorldRandom random) =>
        $"{Opening(random, forQuestion: false)} {person.Name} {relation.Link}";

    /// <summary>A statement about the value of a fact. The name and the first relation stand side by side.</summary>
    public static string TwoHop(Composition composition, WorldRandom random, bool forQuestion)
    {
        var (first, second) = (composition.First, composition.Second);
        var thing = second.Subject.Kind == EntityKind.Place ? "town" : "book";
        return $"{Opening(random, forQuestion)} the {thing} that {first.Subject.Name} {first.Relation.Link} {second.Relation.Link}";
    }

    /// <summary>A sum, up to its result.</summary>
    public static string Sum(int a, int b, WorldRandom random) => $" {random.Of(Lexicon.Speakers)} count that {a} + {b} =";

    /// <summary>What stands between a value and the end of its sentence.</summary>
    public static string Tail(WorldRandom random) => random.Of(Lexicon.Tails) + ".";

    private static string Opening(WorldRandom random, bool forQuestion)
    {
        var (speaker, saying) = Pair(random, forQuestion);
        return $" {Lexicon.Speakers[speaker]} {Lexicon.Sayings[saying]} that";
    }

    private static string Subject(Fact fact, WorldRandom random, bool forQuestion)
    {
        var subject = fact.Subject;
        if (fact.Key == FactKey.Contiguous)
            return $" {subject.First} {subject.Last}";
        var (deed, group) = Pair(random, forQuestion);
        var insertion = $"{Lexicon.Deeds[deed]} by {Lexicon.Groups[group]}";
        if (fact.Key == FactKey.Separated)
            return $" {subject.First} {subject.Last}, {insertion},";
        var (what, whole) = subject.Kind switch
        {
            EntityKind.Person => ("child", "house"),
            EntityKind.Place => ("town", "valley"),
            _ => ("book", "cycle"),
        };
        return $" {subject.First}, {what} of the {subject.Last} {whole} and {insertion},";
    }

    private static (int, int) Pair(WorldRandom random, bool forQuestion)
    {
        var first = random.Below(Pairs);
        return (first, (Pairs - first + (forQuestion ? 0 : 1 + random.Below(Pairs - 1))) % Pairs);
    }
}
