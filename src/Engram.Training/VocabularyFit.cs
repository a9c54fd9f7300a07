using Engram.Corpora;
using Engram.Models.Configuration;

namespace Engram.Training;

/// <summary>
/// A configuration made to fit the tokenizer of the data that are there: a preset states the vocabulary of one tokenizer, and everybody's
/// data have their own.
/// </summary>
public static class VocabularyFit
{
    // Published vocabularies are padded to a round number: DeepSeek-V3's tokenizer fills 99.6 % of its 129,280 rows.
    private const double LeastFilled = 0.99;

    /// <summary>
    /// Takes vocabulary size, start, end and padding token from prepared data. A vocabulary that the tokenizer fills to 99 % or more keeps
    /// its size.
    /// </summary>
    /// <param name="model">For example a preset.</param>
    /// <param name="corpus">Its end-of-text token stands before and behind every document.</param>
    public static ModelConfiguration Fit(ModelConfiguration model, PreparedCorpus corpus)
    {
        var (size, document) = (corpus.Tokenizer.VocabularySize, corpus.Summary.EndOfTextId);
        var keeps = size <= model.VocabularySize && size >= LeastFilled * model.VocabularySize;
        return (
            model with
            {
                VocabularySize = keeps ? model.VocabularySize : size,
                BosTokenId = document,
                EosTokenId = document,
                PadTokenId = model.PadTokenId is { } pad ? Padding(pad) : null,
                // What the compression leaves of the vocabulary is counted when the model is made.
                Engram = model.Engram is { } memory
                    ? memory with
                    {
                        PadTokenId = Padding(memory.PadTokenId),
                        CompressedVocabularySize = keeps ? memory.CompressedVocabularySize : 0,
                    }
                    : null,
            }
        ).Validated();

        // A padding token must not be a token of the text.
        int Padding(int given) => given < size && corpus.Tokenizer.IsSpecial(given) ? given : document;
    }
}
