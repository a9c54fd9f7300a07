using Engram.Tokenization;

namespace Engram.Corpora.World;

/// <summary>
/// The tokenizer of a world: each of its words is one token, so is each mark and each digit. Other text falls into parts of words and
/// bytes.
/// </summary>
internal static class WordTokens
{
    /// <summary>The vocabulary that has all these words, with a space in front.</summary>
    public static Tokenizer Tokenizer(IEnumerable<string> words)
    {
        // Every pair inside a piece is merged until each piece is one token.
        var trainer = new BpeTrainer(
            new BpeTrainerOptions
            {
                VocabularySize = int.MaxValue,
                SpecialTokens = [new PreparationOptions().EndOfText, PreparationOptions.Padding],
            }
        );
        return trainer.Train(["A", " +", " =", .. words.Order(StringComparer.Ordinal).Select(word => " " + word)]);
    }

    /// <summary>How many tokens a text of the world has, without encoding it.</summary>
    public static int Count(ReadOnlySpan<char> text)
    {
        var tokens = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsAsciiLetter(text[i]))
            {
                while (i + 1 < text.Length && char.IsAsciiLetter(text[i + 1]))
                    i++;
                tokens++;
            }
            else if (text[i] != ' ' || (i + 1 < text.Length && char.IsAsciiDigit(text[i + 1])))
            {
                // A space belongs to the word or mark behind it, but not to a digit.
                tokens++;
            }
        }
        return tokens;
    }
}
