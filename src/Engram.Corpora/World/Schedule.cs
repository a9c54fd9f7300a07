namespace Engram.Corpora.World;

/// <summary>What a sentence, or a passage, is about.</summary>
internal enum Topic
{
    Fact,
    Homograph,
    TwoHop,
    Sum,
    Passage,
}

/// <summary>
/// In which order things are stated: a thing that is stated n times is stated once in each n-th part of the text, somewhere in it. Needs
/// memory for the things, not for the statements.
/// </summary>
internal sealed class Schedule
{
    private readonly List<(Topic Topic, int Index, long Count)> _items = [];
    private readonly PriorityQueue<(int Item, long Done), (double When, int Item)> _next = new();
    private readonly WorldRandom _random;

    public Schedule(SyntheticWorld world)
    {
        _random = new WorldRandom(world.Options.Seed, "schedule");
        for (var i = 0; i < world.Facts.Count; i++)
            _items.Add((Topic.Fact, i, world.Facts[i].Exposures));
        for (var i = 0; i < world.HomographFacts.Count; i++)
            _items.Add((Topic.Homograph, i, world.HomographFacts[i].Exposures));
        foreach (var (composition, count) in world.TwoHopStatements())
            _items.Add((Topic.TwoHop, composition.Id, count));
        _items.Add((Topic.Sum, 0, world.Budget.Sums));
        _items.Add((Topic.Passage, 0, world.Budget.Passages));
        for (var item = 0; item < _items.Count; item++)
            Enqueue(item, 0);
    }

    /// <summary>What is stated next, or null at the end.</summary>
    public (Topic Topic, int Index)? Next()
    {
        if (!_next.TryDequeue(out var next, out _))
            return null;
        Enqueue(next.Item, next.Done + 1);
        return (_items[next.Item].Topic, _items[next.Item].Index);
    }

    private void Enqueue(int item, long done)
    {
        if (done < _items[item].Count)
            _next.Enqueue((item, done), ((done + _random.Share()) / _items[item].Count, item));
    }
}
