using Engram.Addressing;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Sequences;
using Engram.Tables;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Cli.Commands;

/// <summary>Which addressing meets which corpus: a model or a configuration with a tokenizer, prepared data or text.</summary>
internal sealed class TableStatsInput : IDisposable
{
    private readonly PreparedCorpus? _prepared;
    private readonly CorpusSource? _source;
    private readonly Tokenizer _tokenizer;
    private readonly CanonicalMap _map;
    private readonly DocumentRule _rule;
    private readonly string _model;

    /// <summary>Opens what the options name.</summary>
    /// <param name="model">A model folder, a preset or a config.json.</param>
    /// <param name="corpus">A folder of prepared data, or what <c>engram data prepare</c> takes.</param>
    /// <param name="tokenizer">
    /// A tokenizer.json or a folder that holds one; null for that of the model folder or of the prepared data.
    /// </param>
    /// <param name="field">Field of a .jsonl line.</param>
    /// <param name="cancellation">Heard while a pipe is waited for.</param>
    public TableStatsInput(string model, string corpus, string? tokenizer, string field, CancellationToken cancellation)
    {
        var configuration = ModelSource.Load(model, cancellation);
        var engram = configuration.Engram ?? throw new UsageException($"The model '{model}' has no memory, so there are no rows to count.");
        if (engram.OneRow)
            throw new UsageException(
                $"The tables of '{model}' have one row per head, which every n-gram reads: there is nothing to count."
            );
        (Engram, _rule, _model) = (engram, new DocumentRule(configuration), model);
        if (File.Exists(Path.Combine(corpus, CorpusSummary.FileName)))
            _prepared = PreparedCorpus.Open(corpus);
        else
            _source = CorpusInput.Open(corpus, field, cancellation);
        try
        {
            var ofModel = Path.Combine(model, ModelFolder.TokenizerFile);
            _tokenizer =
                tokenizer is not null ? TokenizerInput.Open(tokenizer, cancellation)
                : File.Exists(ofModel) ? Tokenizer.Load(ofModel)
                : _prepared?.Tokenizer
                    ?? throw new UsageException(
                        $"'{model}' has no tokenizer and the corpus is text: name one with --tokenizer, or give prepared data."
                    );
            _prepared?.RequireTokenizer(_tokenizer);
            var stored = Path.Combine(model, TablePaths.Addressing);
            var addressing = File.Exists(stored) ? ModelAddressing.Load(stored, _tokenizer.Fingerprint) : null;
            _map = addressing?.CanonicalMap ?? engram.CanonicalMapOf(_tokenizer);
            Constants = addressing?.Constants ?? Derive(model, engram);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The memory's configuration.</summary>
    public EngramConfiguration Engram { get; }

    /// <summary>The hash constants.</summary>
    public AddressingConstants Constants { get; }

    /// <summary>Tokens of the corpus, null while that is unknown.</summary>
    public long? Tokens => _prepared is null ? null : _prepared.Training.Count + _prepared.Validation.Count;

    /// <summary>
    /// Canonical ids, −1 at dead positions, and document starts, piece by piece; the starts are empty where the memory does not begin anew
    /// at documents.
    /// </summary>
    public IEnumerable<(int[] CanonicalIds, ReadOnlyMemory<bool> DocumentStarts)> Read(CancellationToken cancellation)
    {
        var pieces = _prepared is not null
            ? CorpusTokens.Read(_prepared)
            : CorpusTokens.Read(_source!, _tokenizer, BeforeDocument, cancellation);
        foreach (var piece in pieces)
        {
            cancellation.ThrowIfCancellationRequested();
            var ids = piece.Ids.ToArray();
            for (var i = 0; i < ids.Length; i++)
                ids[i] = _rule.IsDead(ids[i]) ? -1 : _map[ids[i]];
            yield return (ids, _rule.MemoryBegins(true) ? piece.DocumentStarts : default);
        }
    }

    public void Dispose() => _prepared?.Dispose();

    private int BeforeDocument =>
        _rule.StartToken
        ?? throw new UsageException(
            $"The configuration of '{_model}' names neither bos_token_id nor eos_token_id, so that nothing says which token stands before "
                + "a document: name one, or give prepared data."
        );

    private AddressingConstants Derive(string model, EngramConfiguration engram)
    {
        var canonical = _map.CanonicalVocabularySize;
        if (engram.CompressedVocabularySize != 0 && engram.CompressedVocabularySize != canonical)
            throw new UsageException(
                $"engram_compressed_vocab_size of '{model}' is {engram.CompressedVocabularySize}, but the tokenizer compresses to "
                    + $"{canonical} canonical ids: name the model's own tokenizer, or set it to 0 in a config.json."
            );
        if (engram.PadTokenId >= _map.VocabularySize)
            throw new UsageException(
                $"engram_pad_token_id of '{model}' is {engram.PadTokenId}, but the tokenizer defines the ids 0 to "
                    + $"{_map.VocabularySize - 1}."
            );
        return AddressingConstants.Derive((engram with { CompressedVocabularySize = canonical }).Addressing(_map[engram.PadTokenId]));
    }
}
