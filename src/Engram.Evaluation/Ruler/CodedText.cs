using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>
/// Coded words whose frequencies fall with the square of their rank; the most frequent is written as dots and does not count, the next
/// three are asked for.
/// </summary>
internal static class CodedText
{
    private const double Exponent = 2;
    private const int WordLength = 6;
    private const int Vocabulary = 2000;

    // With fewer words, the last that is asked for could be as frequent as the next.
    private const int FewestWords = 120;

    private const string Dots = "......";

    /// <summary>Draws a sample; a unit is a word.</summary>
    public static RulerDrawing Draw(WorldRandom random)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        while (taken.Count < Vocabulary)
            taken.Add(RulerWords.Letters(WordLength, 'a', random));
        var words = taken.ToArray();
        var order = random.Bits();
        var normaliser = Enumerable.Range(1, Vocabulary).Sum(rank => Math.Pow(rank, -Exponent));
        return new RulerDrawing(units => new RulerDraft(
            "Read the coded text below and keep track of how often each coded word occurs. Dots do not count.\n"
                + $"{Text(FewestWords + units)}\nQuestion: which three coded words occur most often in the text above?",
            " Answer: apart from the dots, the three words that occur most often in the coded text are:",
            words[1..4]
        ));

        string Text(int count)
        {
            var entries = new List<string>(count);
            var rank = 0;
            for (int share; (share = (int)(count / normaliser * Math.Pow(rank + 1, -Exponent))) > 0; rank++)
                entries.AddRange(Enumerable.Repeat(rank == 0 ? Dots : words[rank], share));
            // What rounding left out: words that occur once.
            while (entries.Count < count)
                entries.Add(words[rank++]);
            new WorldRandom((long)order, "coded").Shuffle(entries);
            return string.Join(' ', entries);
        }
    }
}
