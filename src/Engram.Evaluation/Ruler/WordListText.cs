using System.Text;
using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>
/// A numbered list in which ten words occur more often than the others; they are asked for. A smaller list, answered, stands in front.
/// </summary>
internal static class WordListText
{
    private const int Common = 10;
    private const int ExampleWords = 40;

    /// <summary>How often words occur: common and others, in the list and in the example.</summary>
    /// <param name="Frequent">Occurrences of a common word.</param>
    /// <param name="Others">Occurrences of another word.</param>
    /// <param name="ExampleFrequent">Occurrences of a common word in the example.</param>
    /// <param name="ExampleOthers">Occurrences of another word in the example.</param>
    internal readonly record struct Setting(int Frequent, int Others, int ExampleFrequent, int ExampleOthers)
    {
        /// <summary>The published one.</summary>
        public static readonly Setting Published = new(30, 3, 10, 3);

        /// <summary>For lengths that the published one does not fit in.</summary>
        public static readonly Setting Short = new(10, 1, 3, 1);
    }

    /// <summary>Draws a sample; a unit is one more word among the others.</summary>
    public static RulerDrawing Draw(Setting setting, RulerMaterial material, WorldRandom random)
    {
        var words = material.ListWords.ToArray();
        random.Shuffle(words);
        var example = words[..ExampleWords];
        var listed = words[ExampleWords..];
        var order = random.Bits();
        var shown =
            $"{Ask(List(example, ExampleWords - Common, setting.ExampleFrequent, setting.ExampleOthers, order))}"
            + $"{Prefix} {Answer(example)}\n\n";
        return new RulerDrawing(
            units => new RulerDraft(shown + Ask(List(listed, units, setting.Frequent, setting.Others, order)), Prefix, listed[..Common]),
            MostUnits: listed.Length - Common
        );
    }

    private const string Prefix = " Answer: the ten words that occur most often in the list are:";

    private static string Ask(string list) =>
        $"Here is a numbered list of words, some of which occur more often than the others. Keep those in mind.\n"
        + $"{list}\nQuestion: which ten words occur most often in the list above?";

    private static string Answer(string[] words) => string.Join(' ', words.Take(Common).Select((word, i) => $"{i + 1}. {word}"));

    private static string List(string[] words, int others, int frequent, int seldom, ulong order)
    {
        var entries = words
            .Take(Common)
            .SelectMany(word => Enumerable.Repeat(word, frequent))
            .Concat(words.Skip(Common).Take(others).SelectMany(word => Enumerable.Repeat(word, seldom)))
            .ToArray();
        new WorldRandom((long)order, "list").Shuffle(entries);
        var text = new StringBuilder();
        for (var i = 0; i < entries.Length; i++)
            text.Append(i == 0 ? "" : " ").Append(i + 1).Append(". ").Append(entries[i]);
        return text.ToString();
    }
}
