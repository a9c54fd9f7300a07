using System.Text;
using Engram.Tokenization;

namespace Engram.Evaluation.LongPpl;

/// <summary>Where the tokens of a text stand in it.</summary>
/// <param name="Ids">The tokens, none added.</param>
/// <param name="Intervals">
/// The characters of each, white space in front included. A character that several tokens share belongs to each of them.
/// </param>
/// <param name="Units">Where each token ends in UTF-16 units; a character counts where its last byte is.</param>
internal sealed record TokenOffsets(int[] Ids, TextInterval[] Intervals, int[] Units)
{
    /// <summary>Encodes a text. Tokens of byte-level vocabularies are its bytes in order, so that bytes tell the characters.</summary>
    /// <exception cref="InvalidDataException">The tokenizer changes the text, so that its tokens do not stand in it.</exception>
    public static TokenOffsets Of(Tokenizer tokenizer, string text)
    {
        var ids = tokenizer.Encode(text, typedTokens: TypedTokens.AllAsText);
        var bytes = Encoding.UTF8.GetBytes(text);
        // For each byte: the character it is part of, and the units of the text up to the end of that character.
        var (characterOf, unitsAt) = (new int[bytes.Length + 1], new int[bytes.Length + 1]);
        var (at, character, units) = (0, 0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            units += rune.Utf16SequenceLength;
            for (var i = 0; i < rune.Utf8SequenceLength; i++, at++)
                (characterOf[at], unitsAt[at + 1]) = (character, i == rune.Utf8SequenceLength - 1 ? units : unitsAt[at]);
            character++;
        }

        var (intervals, ends, from) = (new TextInterval[ids.Length], new int[ids.Length], 0);
        for (var i = 0; i < ids.Length; i++)
        {
            var token = tokenizer.TokenBytes(ids[i]);
            if (!bytes.AsSpan(from).StartsWith(token))
                throw new InvalidDataException(
                    $"The tokenizer changes the text ('{Encoding.UTF8.GetString(token)}' stands where the text has something else), so "
                        + "that characters cannot be assigned to tokens. Use a model whose tokenizer does not."
                );
            (intervals[i], ends[i]) = (
                new TextInterval(characterOf[from], token.Length == 0 ? characterOf[from] : characterOf[from + token.Length - 1] + 1),
                unitsAt[from + token.Length]
            );
            from += token.Length;
        }
        return from == bytes.Length
            ? new TokenOffsets(ids, intervals, ends)
            : throw new InvalidDataException(
                "The tokenizer leaves out part of the text, so that characters cannot be assigned to tokens. Use a model whose tokenizer "
                    + "does not."
            );
    }
}
