using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Models.Configuration;
using Engram.Tokenization;

namespace Engram.Cli.Commands;

/// <summary>What a loss is measured on: the validation part of prepared data, or any text. It is found before a model is opened.</summary>
internal sealed class HeldOutText : IDisposable
{
    private readonly PreparedCorpus? _prepared;
    private readonly CorpusSource? _source;

    /// <param name="data">A folder of prepared data; null for a text.</param>
    /// <param name="text">A file or folder of text; null for prepared data.</param>
    /// <param name="cancellation">Heard while a pipe is waited for, which is refused.</param>
    public HeldOutText(string? data, string? text, CancellationToken cancellation)
    {
        if (data is not null)
            _prepared = PreparedCorpus.Open(data);
        else
            _source = CorpusInput.Open(text!, null, cancellation);
    }

    /// <summary>The sequences for a model.</summary>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="configuration">Of the model.</param>
    /// <param name="length">Tokens of a sequence.</param>
    /// <param name="most">At most so many sequences.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public EvaluationText For(Tokenizer tokenizer, ModelConfiguration configuration, int length, int most, CancellationToken cancellation)
    {
        if (_prepared is not null)
            return EvaluationText.Of(_prepared, tokenizer, length, most);
        var start =
            configuration.StartTokenId
            ?? throw new InvalidDataException(
                "config.json of the model has neither bos_token_id nor eos_token_id, so nothing begins a text."
            );
        return EvaluationText.Of(_source!, tokenizer, start, length, most, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _prepared?.Dispose();
}
