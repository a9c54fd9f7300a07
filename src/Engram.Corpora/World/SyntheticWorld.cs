namespace Engram.Corpora.World;

/// <summary>
/// A world whose truth is known: persons, places and works with names and attributes, what the text says of them how often, and which of it
/// no text says. <see cref="WorldText"/> writes the text, <see cref="WorldQuestions"/> asks.
/// </summary>
public sealed class SyntheticWorld
{
    /// <summary>Numbers that are added lie below this.</summary>
    internal const int Numbers = 100;

    private const int PersonsPerPlace = 8;
    private const int LeastPlaces = 8;
    private const double OutOfDistributionShare = 0.25;
    private const double HeldOutShare = 0.2;
    private const int HeldOutSums = 1000;

    /// <summary>Makes a world.</summary>
    /// <exception cref="ArgumentException">
    /// An option is out of range, or the text is too short for the facts, or facts too frequent for the window.
    /// </exception>
    public SyntheticWorld(WorldOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options.Validated();
        var places = Math.Max(
            LeastPlaces,
            options.Facts / (Relation.OfPersons.Length * PersonsPerPlace + Relation.OfPlaces.Length + Relation.OfWorks.Length)
        );
        var ofOthers = places * (Relation.OfPlaces.Length + Relation.OfWorks.Length);
        var persons = (options.Facts - ofOthers + Relation.OfPersons.Length - 1) / Relation.OfPersons.Length;
        var homographs = options.HomographShare > 0 ? Math.Max(10, options.Facts / 40) : 0;
        var strangers = Math.Max(64, persons / 2);

        var forge = new NameForge(new WorldRandom(options.Seed, "names"));
        var people = Named(forge, EntityKind.Person, persons + homographs + strangers, 0);
        Persons = people[..persons];
        Homographs = people[persons..(persons + homographs)];
        Strangers = people[(persons + homographs)..];
        Places = Named(forge, EntityKind.Place, places, people.Length);
        Works = Named(forge, EntityKind.Work, places, people.Length + places);

        Budget = new WorldBudget(options, homographs * 2 * Relation.Traits.Length);
        Facts = MakeFacts();
        HomographFacts = MakeHomographs();
        Compositions = MakeCompositions();
        SumsInText = SplitSums(out var held);
        SumsHeldOut = held;
        Budget.RequireRoom(Facts);
    }

    /// <summary>What it was made from.</summary>
    public WorldOptions Options { get; }

    /// <summary>Those the facts are about, in no order.</summary>
    public IReadOnlyList<Entity> Persons { get; }

    /// <summary>Names that mean one person in one region and another in another.</summary>
    public IReadOnlyList<Entity> Homographs { get; }

    /// <summary>Persons of whom passages tell and nothing else; what holds of them in one passage does not hold in the next.</summary>
    public IReadOnlyList<Entity> Strangers { get; }

    /// <summary>The places.</summary>
    public IReadOnlyList<Entity> Places { get; }

    /// <summary>The works.</summary>
    public IReadOnlyList<Entity> Works { get; }

    /// <summary>What holds everywhere, the most frequent first.</summary>
    public IReadOnlyList<Fact> Facts { get; }

    /// <summary>What holds of <see cref="Homographs"/> in a region.</summary>
    public IReadOnlyList<Fact> HomographFacts { get; }

    /// <summary>What follows from two facts.</summary>
    public IReadOnlyList<Composition> Compositions { get; }

    /// <summary>Pairs of numbers whose sum no text states.</summary>
    public IReadOnlyList<(int A, int B)> SumsHeldOut { get; }

    internal IReadOnlyList<(int A, int B)> SumsInText { get; }

    /// <summary>The two-hops that the text states, and how often.</summary>
    internal IReadOnlyList<(Composition Composition, long Count)> TwoHopStatements()
    {
        Composition[] trained = [.. Compositions.Where(composition => composition.Split == CompositionSplit.Trained)];
        return [.. trained.Select((composition, i) => (composition, Frequencies.Even(Budget.TwoHopSentences, trained.Length, i)))];
    }

    internal WorldBudget Budget { get; }

    /// <summary>Every name.</summary>
    public IEnumerable<Entity> Entities => [.. Persons, .. Homographs, .. Strangers, .. Places, .. Works];

    /// <summary>The values that a relation may have.</summary>
    public IReadOnlyList<string> ValuesOf(Relation relation)
    {
        ArgumentNullException.ThrowIfNull(relation);
        return relation.Pool switch
        {
            ValuePool.Places => [.. Places.Select(place => place.Name)],
            ValuePool.Works => [.. Works.Select(work => work.Name)],
            _ => relation.Words,
        };
    }

    /// <summary>A tokenizer with a token for each word of the world.</summary>
    public Tokenization.Tokenizer Tokenizer() =>
        WordTokens.Tokenizer(
            Lexicon.Words.Concat(Entities.SelectMany(entity => new[] { entity.First, entity.Last })).Distinct(StringComparer.Ordinal)
        );

    private static Entity[] Named(NameForge forge, EntityKind kind, int count, int firstId) =>
        [.. forge.Pairs(count).Select((name, i) => new Entity(firstId + i, kind, name.First, name.Last))];

    private Fact[] MakeFacts()
    {
        var random = new WorldRandom(Options.Seed, "facts");
        var slots = Persons.SelectMany(person => Relation.OfPersons.Select(relation => (Subject: person, Relation: relation))).ToList();
        var others = Places
            .SelectMany(place => Relation.OfPlaces.Select(relation => (Subject: place, Relation: relation)))
            .Concat(Works.SelectMany(work => Relation.OfWorks.Select(relation => (Subject: work, Relation: relation))))
            .ToArray();
        // The last person has what is left of the number of facts.
        slots = [.. slots.Take(Options.Facts - others.Length), .. others];
        random.Shuffle(slots);
        var exposures = Frequencies.Zipf(slots.Count, Options.Exponent, Budget.FactSentences);
        var facts = new Fact[slots.Count];
        var (start, notContiguous) = (random.Share(), 0);
        for (var rank = 0; rank < facts.Length; rank++)
        {
            var (subject, relation) = slots[rank];
            // As many of one manner among frequent facts as among rare ones.
            var contiguous = Math.Floor((rank + 1) * Options.Contiguous + start) > Math.Floor(rank * Options.Contiguous + start);
            var key =
                contiguous ? FactKey.Contiguous
                : notContiguous++ % 2 == 0 ? FactKey.Separated
                : FactKey.Scattered;
            facts[rank] = MakeFact(rank, subject, relation, key, exposures[rank], region: null, random);
        }
        return facts;
    }

    private Fact MakeFact(int id, Entity subject, Relation relation, FactKey key, long exposures, string? region, WorldRandom random)
    {
        var targets =
            relation.Pool == ValuePool.Places ? Places
            : relation.Pool == ValuePool.Works ? Works
            : null;
        var entity = targets is null ? null : random.Of(targets);
        var value = entity?.Name ?? random.Of(relation.Words);
        var bits = Math.Log2(targets?.Count ?? relation.Words.Length);
        return new Fact(
            id,
            subject,
            relation,
            value,
            entity,
            key,
            exposures,
            region,
            region is null && random.Share() < OutOfDistributionShare,
            bits
        );
    }

    private Fact[] MakeHomographs()
    {
        var random = new WorldRandom(Options.Seed, "homographs");
        var facts = new List<Fact>();
        var count = Homographs.Count * 2 * Relation.Traits.Length;
        foreach (var name in Homographs)
        {
            var regions = Lexicon.Regions.ToArray();
            random.Shuffle(regions);
            foreach (var relation in Relation.Traits)
            {
                var first = Make(relation, regions[0], facts.Count);
                Fact second;
                do second = Make(relation, regions[1], facts.Count + 1);
                while (second.Value == first.Value);
                facts.AddRange([first, second]);
            }

            Fact Make(Relation relation, string region, int index) =>
                MakeFact(
                    Facts.Count + index,
                    name,
                    relation,
                    FactKey.Contiguous,
                    Frequencies.Even(Budget.HomographSentences, count, index),
                    region,
                    random
                );
        }
        return [.. facts];
    }

    private Composition[] MakeCompositions()
    {
        var random = new WorldRandom(Options.Seed, "compositions");
        var about = Facts.ToLookup(fact => fact.Subject.Id);
        var compositions = new List<Composition>();
        foreach (var first in Facts.Where(fact => fact.ValueEntity is not null).OrderBy(fact => fact.Id))
        foreach (var second in about[first.ValueEntity!.Id].OrderBy(fact => fact.Relation.Link, StringComparer.Ordinal))
            // What mixes facts of both kinds would tell of facts that no two-hop sentence is to use, and is dropped.
            if (first.OutOfDistribution == second.OutOfDistribution)
                compositions.Add(
                    new Composition(
                        compositions.Count,
                        first,
                        second,
                        first.OutOfDistribution ? CompositionSplit.OutOfDistribution
                            : random.Share() < HeldOutShare ? CompositionSplit.HeldOut
                            : CompositionSplit.Trained
                    )
                );
        return [.. compositions];
    }

    private (int A, int B)[] SplitSums(out (int A, int B)[] held)
    {
        var sums = (from a in Enumerable.Range(0, Numbers) from b in Enumerable.Range(0, Numbers) select (a, b)).ToArray();
        new WorldRandom(Options.Seed, "sums").Shuffle(sums);
        held = sums[..HeldOutSums];
        return sums[HeldOutSums..];
    }
}
