using System.Text;

namespace Engram.Corpora.World;

/// <summary>
/// A passage that tells one thing of each of several persons and recalls one of them at its end. Where those are strangers, only the
/// passage can tell the answer.
/// </summary>
/// <param name="Text">Heading and statements.</param>
/// <param name="Recall">The beginning of the last sentence, up to the value.</param>
/// <param name="Answer">The value.</param>
internal sealed record NotedPassage(string Text, string Recall, string Answer)
{
    /// <summary>A passage of the text: about these persons, with random relations and values.</summary>
    /// <param name="world">Gives the values.</param>
    /// <param name="persons">Of whom it tells.</param>
    /// <param name="random">Draws order, relations and values.</param>
    public static NotedPassage About(SyntheticWorld world, IReadOnlyList<Entity> persons, WorldRandom random)
    {
        var order = random.Shuffled(persons);
        var asked = random.Of(order);
        var text = new StringBuilder(Phrasing.NoteHeading);
        var (answer, askedRelation) = ("", Relation.Traits[0]);
        foreach (var person in order)
        {
            var relation = Relation.Traits[random.Below(Relation.Traits.Length)];
            var value = random.Of(world.ValuesOf(relation));
            Tell(text, person, relation, value, random);
            if (person == asked)
                (answer, askedRelation) = (value, relation);
        }
        return new NotedPassage(text.ToString(), Phrasing.NoteRecall(asked, askedRelation), answer);
    }

    /// <summary>
    /// A passage of a question: of each person it tells another value of the same relation, so that the relation's word tells nothing.
    /// </summary>
    /// <param name="told">Persons and their values. The first one is asked for.</param>
    /// <param name="relation">The relation.</param>
    /// <param name="random">Draws order and words.</param>
    public static NotedPassage Telling(IReadOnlyList<(Entity Person, string Value)> told, Relation relation, WorldRandom random)
    {
        var text = new StringBuilder(Phrasing.NoteHeading);
        foreach (var (person, value) in random.Shuffled(told))
            Tell(text, person, relation, value, random);
        return new NotedPassage(text.ToString(), Phrasing.NoteRecall(told[0].Person, relation), told[0].Value);
    }

    private static void Tell(StringBuilder text, Entity person, Relation relation, string value, WorldRandom random) =>
        text.Append(Phrasing.Plain(person, relation, random)).Append(' ').Append(value).Append(Phrasing.Tail(random));
}
