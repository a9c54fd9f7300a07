using System.Text.RegularExpressions;
using Engram.Corpora;
using Engram.Corpora.World;
using Engram.Evaluation.World;

namespace Engram.Studies.Measures;

/// <summary>
/// Cloze items from the validation text: the last word of a passage, to be written, or to be chosen among it and the words of three other
/// passages.
/// </summary>
internal static partial class ClozeItems
{
    /// <summary>The row that comes last: the share of items whose word was chosen; chance is a quarter.</summary>
    public const string Last = "cloze_chosen";

    private const int Items = 200,
        PassageTokens = 48,
        Choices = 4;

    /// <summary>The share of words that greedy generation would write, and the share chosen.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        var outcomes = WorldEvaluation.Ask(run.Scored, Of(run.Corpus), run.Scored.Memory, cancellation: cancellation);
        return
        [
            ("cloze_written", outcomes.Average(outcome => outcome.Written ? 1.0 : 0.0)),
            (Last, outcomes.Average(outcome => outcome.Chosen ? 1.0 : 0.0)),
        ];
    }

    /// <summary>The items of a text: they follow from it alone.</summary>
    /// <exception cref="InvalidDataException">The validation text has too few words.</exception>
    internal static IReadOnlyList<WorldQuestion> Of(PreparedCorpus corpus)
    {
        var passages = Passages(corpus).ToList();
        var words = passages.Select(passage => passage.Word).Distinct().ToList();
        if (words.Count < Choices)
            throw new InvalidDataException(
                $"{corpus.Folder}: the validation text has {words.Count} different words to ask for; {Choices} are needed."
            );
        return
        [
            .. passages.Select(
                (passage, number) =>
                {
                    var own = words.IndexOf(passage.Word);
                    // The right one stands at each place equally often.
                    var choices = Enumerable.Range(1, Choices - 1).Select(step => words[(own + step) % words.Count]).ToList();
                    choices.Insert(number % Choices, passage.Word);
                    return new WorldQuestion
                    {
                        Kind = "cloze",
                        Index = number,
                        Question = passage.Before,
                        Answer = passage.Word,
                        Choices = choices,
                        Gold = number % Choices,
                        Exposures = 0,
                        Bits = Math.Log2(Choices),
                    };
                }
            ),
        ];
    }

    private static IEnumerable<(string Before, string Word)> Passages(PreparedCorpus corpus)
    {
        var ids = new int[PassageTokens];
        var places = Math.Max(1, Math.Min(Items, (int)(corpus.Validation.Count / PassageTokens)));
        for (var i = 0; i < places; i++)
        {
            var first = (corpus.Validation.Count - PassageTokens) * i / Math.Max(1, places - 1);
            if (first < 0)
                yield break;
            corpus.Validation.CopyTo(first, ids);
            var text = corpus.Tokenizer.Decode(ids.Where(id => id != corpus.Summary.EndOfTextId).ToArray()).Trim('\uFFFD');
            // What follows the word says that it is not cut off; the passage begins behind a space, where a word does.
            var begin = text.IndexOf(' ', StringComparison.Ordinal) + 1;
            if (Word().Matches(text).LastOrDefault() is { } word && word.Index > begin)
                yield return (text[begin..word.Index], word.Groups[1].Value);
        }
    }

    [GeneratedRegex(@"(?<=\S) (\p{L}{4,})(?=\P{L})")]
    private static partial Regex Word();
}
