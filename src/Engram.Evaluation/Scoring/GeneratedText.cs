using System.Numerics.Tensors;

namespace Engram.Evaluation.Scoring;

/// <summary>One answer while it is written, token by token.</summary>
internal sealed class GeneratedText : IDisposable
{
    private readonly IScoredModel _model;
    private readonly GenerationRequest _wanted;
    private readonly List<int> _ids = [];

    public GeneratedText(
        int request,
        IScoredSequence sequence,
        GenerationRequest wanted,
        IScoredModel model,
        float[] firstLogits,
        int contextLength
    ) => (Request, Sequence, _wanted, _model, FirstLogits, ContextLength) = (request, sequence, wanted, model, firstLogits, contextLength);

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

    /// <summary>Takes the most likely token; the lowest id of equal ones.</summary>
    /// <param name="logits">[V]</param>
    public void Choose(ReadOnlySpan<float> logits)
    {
        var token = TensorPrimitives.IndexOfMax(logits[.._model.Tokenizer.VocabularySize]);
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
