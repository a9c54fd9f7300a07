using System.Text;

namespace Engram.Corpora.World;

/// <summary>
/// A passage that tells one thing of each of several persons and recalls one of them at its end. Where those are strangers, only the
/// passage can tell the answer.
/// </summary>
/// <param name="Text">Heading and statements.</param>
/// <param name="Recall">The beginning of the last sentence, up to the value.</param>
/// <param name="Answer">The value.</param>
/// <param name="Asked">Whose value it is.</param>
/// <param name="Relation">Of which relation.</param>
/// <param name="Persons">All of whom it tells.</param>
/// <param name="OtherValues">What it tells of the others.</param>
internal sealed record NotedPassage(
    string Text,
    string Recall,
    string Answer,
    Entity Asked,
    Relation Relation,
    IReadOnlyList<Entity> Persons,
    IReadOnlyList<string> OtherValues
)
{
    /// <summary>A passage about these persons, with random values.</summary>
    /// <param name="world">Gives the values.</param>
    /// <param name="persons">Of whom it tells.</param>
    /// <param name="random">Draws order, relations and values.</param>
    /// <param name="against">A fact about the first person that the passage is to contradict and to ask for; null asks for anyone.</param>
    public static NotedPassage About(SyntheticWorld world, IReadOnlyList<Entity> persons, WorldRandom random, Fact? against = null)
    {
        var order = persons.ToArray();
        random.Shuffle(order);
        var asked = against?.Subject ?? random.Of(order);
        var text = new StringBuilder(Phrasing.NoteHeading);
        var others = new List<string>();
        var (answer, askedRelation) = ("", Relation.Traits[0]);
        foreach (var person in order)
        {
            var relation =
                person == asked && against is not null ? against.Relation : Relation.Traits[random.Below(Relation.Traits.Length)];
            string value;
            do value = random.Of(world.ValuesOf(relation));
            while (person == asked && value == against?.Value);
            text.Append(Phrasing.Plain(person, relation, random)).Append(' ').Append(value).Append(Phrasing.Tail(random));
            if (person == asked)
                (answer, askedRelation) = (value, relation);
            else
                others.Add(value);
        }
        return new NotedPassage(text.ToString(), Phrasing.NoteRecall(asked, askedRelation), answer, asked, askedRelation, persons, others);
    }
}
