using System.Numerics.Tensors;
using Engram.Models.Sampling;

namespace Engram.Evaluation.Scoring;

/// <summary>One answer while it is written, token by token.</summary>
internal sealed class GeneratedText : IDisposable
{
    private readonly IScoredModel _model;
    private readonly GenerationRequest _wanted;
    private readonly List<int> _ids = [];
    private readonly Sampler? _sampler; // null takes the likeliest

    public GeneratedText(
        int request,
        IScoredSequence sequence,
        GenerationRequest wanted,
        IScoredModel model,
        float[] firstLogits,
        int contextLength
    )
    {
        (Request, Sequence, _wanted, _model) = (request, sequence, wanted, model);
        (FirstLogits, ContextLength) = (firstLogits, contextLength);
        if (wanted.Temperature > 0)
            _sampler = new Sampler(
                new SamplingOptions
                {
                    Temperature = wanted.Temperature,
                    TopP = 1,
                    Seed = wanted.Seed,
                }
            );
    }

    /// <summary>Which request it answers.</summary>
    public int Request { get; }

    /// <summary>Where the model stands.</summary>
    public IScoredSequence Sequence { get; }

    /// <summary>Logits behind the context [V].</summary>
    public float[] FirstLogits { get; }

    /// <summary>Tokens of the context.</summary>
    public int ContextLength { get; }

    /// <summary>Tokens written.</summary>
    public int Count => _ids.Count;

    /// <summary>The token to read next.</summary>
    public int Next => _ids[^1];

    /// <summary>Whether the answer is whole.</summary>
    public bool Finished { get; private set; }

    /// <summary>The text, without the stop string.</summary>
    public string Answer { get; private set; } = "";

    /// <summary>Takes the most likely token, the lowest id of equal ones; or draws one, where a temperature is wanted.</summary>
    /// <param name="logits">[V], overwritten.</param>
    /// <exception cref="InvalidDataException">The largest is not finite.</exception>
    public void Choose(Span<float> logits)
    {
        var known = logits[.._model.Tokenizer.VocabularySize];
        var token = TensorPrimitives.IndexOfMax<float>(known);
        if (!float.IsFinite(known[token]))
            throw NotFinite.Error(known[token]);
        if (_sampler is not null)
            token = _sampler.Next(logits, known.Length);
        if (token == _model.Configuration.EndTokenId || token == _model.Configuration.StartTokenId)
        {
            Finished = true;
            return;
        }

        _ids.Add(token);
        var text = _model.Tokenizer.Decode(_ids.ToArray(), skipSpecialTokens: true);
        var end = -1;
        foreach (var stop in _wanted.StopStrings)
            if (text.IndexOf(stop, StringComparison.Ordinal) is var found and >= 0 && (end < 0 || found < end))
                end = found;
        Answer = end >= 0 ? text[..end] : text;
        Finished = end >= 0 || _ids.Count == _wanted.MaxNewTokens;
    }

    public void Dispose() => Sequence.Dispose();
}
