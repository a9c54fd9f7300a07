namespace Engram.Corpora.World;

/// <summary>
/// Questions about a world. Facts are asked for in sentences whose opening (and insertion, if any) the text never has, as evenly over the
/// bands of their frequency as the facts allow; where there are fewer facts than questions, in several such sentences. The choices of a
/// question are the answers of others that look like it but for the name (<see cref="AskedTogether{T}"/>), or what a passage tells of four
/// persons.
/// </summary>
/// <param name="world">What is asked about.</param>
public sealed class WorldQuestions(SyntheticWorld world)
{
    /// <summary>
    /// Changes when the same world is asked other questions. The text has a version of its own, <see cref="WorldOptions.Version"/>: models
    /// trained on it stay what they are.
    /// </summary>
    public const int Version = 3;

    /// <summary>Choices of a question.</summary>
    public const int Choices = 4;

    /// <summary>Facts that a contiguous n-gram tells.</summary>
    public const string Contiguous = "contiguous";

    /// <summary>Facts with an insertion between name and relation.</summary>
    public const string Separated = "separated";

    /// <summary>Facts whose name is taken apart.</summary>
    public const string Scattered = "scattered";

    /// <summary>Items of one name that the region tells apart.</summary>
    public const string Homograph = "homograph";

    /// <summary>Two facts, the first one's key side by side in the question.</summary>
    public const string TwoHop = "two-hop";

    /// <summary>What only the passage says.</summary>
    public const string Passage = "passage";

    /// <summary>What the passage says, against the text.</summary>
    public const string Conflict = "conflict";

    /// <summary>Sums that the text does not state.</summary>
    public const string Arithmetic = "arithmetic";

    /// <summary>The sets of this world: those that its facts make up.</summary>
    public IEnumerable<(string Kind, IEnumerable<WorldQuestion> Questions)> Sets() => All().Where(set => set.Questions.Any());

    private IEnumerable<(string Kind, IEnumerable<WorldQuestion> Questions)> All()
    {
        var (facts, passages) = (new FactQuestions(world), new PassageQuestions(world));
        foreach (
            var (kind, key) in new[] { (Contiguous, FactKey.Contiguous), (Separated, FactKey.Separated), (Scattered, FactKey.Scattered) }
        )
            yield return (kind, facts.Of(kind, [.. world.Facts.Where(fact => fact.Key == key)]));
        yield return (Homograph, facts.OfHomographs());
        if (world.Options.TwoHopShare > 0)
            yield return (TwoHop, facts.OfTwoHops());
        if (world.Options.PassageShare > 0)
        {
            yield return (Passage, passages.OfStrangers());
            yield return (Conflict, passages.OfConflicts());
        }

        yield return (Arithmetic, OfSums());
    }

    private IEnumerable<WorldQuestion> OfSums()
    {
        var random = Random(world, Arithmetic);
        (int A, int B)[] asked =
        [
            .. Enumerable.Range(0, world.Options.Questions).Select(index => world.SumsHeldOut[index % world.SumsHeldOut.Count]),
        ];
        var choices = SumChoices.Of([.. asked.Select(sum => sum.A + sum.B)], new WorldRandom(world.Options.Seed, "choices arithmetic"));
        for (var index = 0; index < asked.Length; index++)
        {
            var (a, b) = asked[index];
            yield return new WorldQuestion
            {
                Kind = Arithmetic,
                Index = index,
                Question = Phrasing.Heading(random.Of(Lexicon.Regions)) + Phrasing.Sum(a, b, random),
                Answer = $"{a + b}",
                Choices = [.. choices[index].Select(sum => $"{sum}")],
                Gold = Array.IndexOf(choices[index], a + b),
                Exposures = 0,
                Bits = Math.Log2(2 * SyntheticWorld.Numbers - 1),
            };
        }
    }

    /// <summary>
    /// How often a fact is asked for at most, as long as others can be: questions about one fact are not independent. Twice the mean leaves
    /// frequent facts, of which there are few, more questions than rare ones.
    /// </summary>
    internal static int Most(SyntheticWorld world, int facts) => Math.Max(4, 2 * world.Options.Questions / Math.Max(1, facts));

    internal static WorldRandom Random(SyntheticWorld world, string kind) => new(world.Options.Seed, $"questions {kind}");
}
