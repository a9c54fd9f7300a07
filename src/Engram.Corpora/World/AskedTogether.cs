namespace Engram.Corpora.World;

/// <summary>
/// Draws what is asked together. All of a set look alike in a question but for the name, and each is asked as often as the others with the
/// same choices: whoever leaves out the name is right as often as one in the set, whatever is known of words, forms and frequencies.
/// </summary>
/// <param name="looks">What a question shows beside the name: only things that look alike come together.</param>
/// <param name="bands">In which band of frequency a thing is: each band is asked as often as its things allow.</param>
/// <param name="fit">Whether two things can stand in one set.</param>
/// <param name="size">Things of a set.</param>
internal sealed class AskedTogether<T>(Func<T, object> looks, Func<T, object> bands, Func<T, T, bool> fit, int size)
    where T : notnull
{
    /// <summary>
    /// As many sets as make up the questions, in the order in which they are drawn; none where too few things fit together.
    /// </summary>
    /// <param name="things">From which.</param>
    /// <param name="questions">How many questions, one for each thing of a set.</param>
    /// <param name="most">How often a thing is asked at most, as long as others can be asked.</param>
    /// <param name="random">Draws.</param>
    public List<T[]> Of(IReadOnlyList<T> things, int questions, int most, WorldRandom random)
    {
        var alike = things.GroupBy(looks).ToDictionary(group => group.Key, group => group.ToArray());
        var (times, timesOfBand) = (
            things.ToDictionary(thing => thing, _ => 0),
            things.Select(bands).Distinct().ToDictionary(band => band, _ => 0)
        );
        var sets = new List<T[]>();
        for (; sets.Count * size < questions; most *= 2)
        {
            var before = sets.Count;
            var queues = things.GroupBy(bands).Select(band => new Queue<T>(random.Shuffled(band))).ToArray();
            // The band that is asked least begins a set, with its next thing; a thing that cannot be asked any more leaves.
            while (
                sets.Count * size < questions
                && queues.Where(queue => queue.Count > 0).MinBy(queue => timesOfBand[bands(queue.Peek())]) is { } queue
            )
            {
                var first = queue.Dequeue();
                if (times[first] >= most || With(first, most) is not { } set)
                    continue;
                queue.Enqueue(first);
                sets.Add(set);
                foreach (var thing in set)
                {
                    times[thing]++;
                    timesOfBand[bands(thing)]++;
                }
            }
            if (sets.Count == before)
                break;
        }
        return sets;

        // With it come things of the bands that are asked least, and of these the ones asked least; null where too few fit.
        T[]? With(T first, int most)
        {
            var set = new List<T> { first };
            foreach (
                var other in random
                    .Shuffled(alike[looks(first)].Where(thing => times[thing] < most))
                    .OrderBy(thing => timesOfBand[bands(thing)])
                    .ThenBy(thing => times[thing])
            )
                if (set.Count < size && set.TrueForAll(thing => fit(thing, other)))
                    set.Add(other);
            return set.Count == size ? [.. set] : null;
        }
    }
}
