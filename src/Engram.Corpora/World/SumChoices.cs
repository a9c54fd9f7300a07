namespace Engram.Corpora.World;

/// <summary>
/// Choices of sums: four questions have their four sums for choices, so that each set is asked of each of its members once and tells
/// nothing. The members are near each other, most of them by a one and a ten: a slip in a digit or a carry is among them.
/// </summary>
internal static class SumChoices
{
    private const int Greatest = 2 * (SyntheticWorld.Numbers - 1);

    private static readonly int[] Lattice = [0, 1, 10, 11];

    /// <summary>The choices of each question in random order.</summary>
    /// <param name="sums">The right sums.</param>
    /// <param name="random">Draws the order.</param>
    public static int[][] Of(IReadOnlyList<int> sums, WorldRandom random)
    {
        var choices = new int[sums.Count][];
        var left = new SortedDictionary<int, Stack<int>>();
        foreach (var same in Enumerable.Range(0, sums.Count).GroupBy(question => sums[question]))
            left[same.Key] = new Stack<int>(same);
        for (var sum = 0; sum <= Greatest; sum++)
            while (Lattice.All(step => left.ContainsKey(sum + step)))
                Ask([.. Lattice.Select(step => sum + step)]);
        while (left.Count >= WorldQuestions.Choices)
            Ask([.. left.Keys.Take(WorldQuestions.Choices)]);
        // At most three sums are left, which stand at any corner of a lattice.
        foreach (var (sum, questions) in left)
        foreach (var question in questions)
        {
            int first;
            do first = sum - random.Of(Lattice);
            while (first < 0 || first + Lattice[^1] > Greatest);
            choices[question] = random.Shuffled(Lattice.Select(step => first + step));
        }
        return choices;

        void Ask(int[] set)
        {
            foreach (var sum in set)
            {
                choices[left[sum].Pop()] = random.Shuffled(set);
                if (left[sum].Count == 0)
                    left.Remove(sum);
            }
        }
    }
}
