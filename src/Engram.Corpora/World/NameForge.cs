namespace Engram.Corpora.World;

/// <summary>
/// Makes words that look like names, each once, none of them a word of the <see cref="Lexicon"/>, also where case is ignored.
/// </summary>
internal sealed class NameForge(WorldRandom random)
{
    private static readonly string[] Onsets =
    [
        "b",
        "d",
        "f",
        "g",
        "k",
        "l",
        "m",
        "n",
        "p",
        "r",
        "s",
        "t",
        "v",
        "z",
        "br",
        "dr",
        "gr",
        "kr",
        "tr",
        "st",
    ];
    private static readonly string[] Vowels = ["a", "e", "i", "o", "u"];
    private static readonly string[] Codas = ["n", "r", "l", "s", "th", "nd", "k", "m"];

    private readonly HashSet<string> _taken = new(Lexicon.Words, StringComparer.OrdinalIgnoreCase);

    /// <summary>So many new words, capitalised.</summary>
    public string[] Make(int count)
    {
        var names = new string[count];
        for (var i = 0; i < count; i++)
        {
            string word;
            do word = random.Of(Onsets) + random.Of(Vowels) + random.Of(Onsets) + random.Of(Vowels) + random.Of(Codas);
            while (!_taken.Add(word));
            names[i] = char.ToUpperInvariant(word[0]) + word[1..];
        }
        return names;
    }

    /// <summary>So many pairs of different words, in random order; every word in about as many pairs as any other.</summary>
    public (string First, string Last)[] Pairs(int count)
    {
        // A quarter of the pairs stays unused, so that a first name never tells the last.
        var words = (int)Math.Ceiling(Math.Sqrt(count * 4 / 3.0));
        var (first, last) = (Make(words), Make(words));
        // Diagonals of the square of all pairs: each takes every word once on either side.
        var pairs = Enumerable.Range(0, count).Select(i => (first[i % words], last[(i % words + i / words) % words])).ToArray();
        random.Shuffle(pairs);
        return pairs;
    }
}
