using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Engram.Corpora;
using Engram.Corpora.World;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Studies.Results;
using Engram.Tokenization;

namespace Engram.Studies.Running;

/// <summary>The texts of a call, prepared once each and shared by all runs.</summary>
/// <param name="root">Receives the prepared data, one folder for each text.</param>
/// <param name="text">What <c>text</c> stands for: a file or a folder; null where the user named none.</param>
public sealed class StudyCorpora(string root, string? text) : IDisposable
{
    private const string Text = "text";
    private const int FingerprintLetters = 8;

    private readonly Dictionary<StudyCorpus, string> _identities = [];
    private readonly Dictionary<string, PreparedCorpus> _open = [];
    private readonly Lock _opening = new();

    /// <summary>The name of a text as it is tokenized; a part of every run's inputs.</summary>
    /// <exception cref="ArgumentException">The text is the user's, and none was named.</exception>
    internal string Identity(StudyCorpus corpus)
    {
        lock (_opening)
        {
            if (!_identities.TryGetValue(corpus, out var identity))
                _identities[corpus] = identity = RunInputs.DataIdentity(Fingerprint(corpus), corpus.VocabularySize);
            return identity;
        }
    }

    /// <summary>Where the prepared text lies, or will.</summary>
    internal string Folder(StudyCorpus corpus) =>
        Path.Combine(root, $"{corpus.Source}-{corpus.VocabularySize}-{Identity(corpus)[..FingerprintLetters]}");

    /// <summary>Prepares a text, or opens it where that was done before.</summary>
    /// <exception cref="InvalidDataException">The text needs more ids than its definition has.</exception>
    internal PreparedCorpus Open(StudyCorpus corpus, IProgress<PreparationProgress>? progress, CancellationToken cancellation)
    {
        lock (_opening)
        {
            var folder = Folder(corpus);
            if (!_open.TryGetValue(folder, out var open))
                _open[folder] = open = Prepare(corpus, folder, progress, cancellation);
            return open;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var corpus in _open.Values)
            corpus.Dispose();
    }

    private string Fingerprint(StudyCorpus corpus) =>
        corpus.World is { } world
            ? Convert.ToHexStringLower(
                SHA256.HashData(Encoding.UTF8.GetBytes($"world {WorldOptions.Version} {world.ToJsonString(JsonSerializerOptions.Default)}"))
            )
            : Source(corpus).Fingerprint();

    private PreparedCorpus Prepare(
        StudyCorpus corpus,
        string folder,
        IProgress<PreparationProgress>? progress,
        CancellationToken cancellation
    )
    {
        Directory.CreateDirectory(root);
        // Processes of other slices may want the same text: one of them prepares it, the others find it.
        using var alone = SharedFile.OpenAlone(folder + ".lock", cancellation);
        if (corpus.WorldOptions() is not { } world)
            return DataPreparation.Prepare(
                Source(corpus),
                folder,
                new PreparationOptions { VocabularySize = corpus.VocabularySize },
                progress,
                cancellation: cancellation
            );
        var written = folder + "-text";
        _ = WorldFolder.Write(world, written, cancellation: cancellation);
        // Its sentences come from few patterns, so that most of them resemble one of validation; what is validated are facts, which
        // training is meant to state.
        var options = new PreparationOptions
        {
            Tokenizer = Tokenizer.Load(Path.Combine(written, PreparedCorpus.TokenizerFileName)),
            MostLeftOut = 1,
        };
        var prepared = DataPreparation.Prepare(
            CorpusSource.Open(Path.Combine(written, WorldFolder.Text)),
            folder,
            options,
            progress,
            cancellation: cancellation
        );
        if (prepared.Summary.VocabularySize > corpus.VocabularySize)
            throw new InvalidDataException(
                $"{folder}: the world has {prepared.Summary.VocabularySize} words, but its definition has a vocabulary of {corpus.VocabularySize}."
            );
        return prepared;
    }

    private CorpusSource Source(StudyCorpus corpus) =>
        CorpusSource.Open(corpus.Source == Text ? Named() : corpus.Source, new CorpusOptions { MaxDocuments = corpus.MaxDocuments });

    private string Named() =>
        text
        ?? throw new ArgumentException(
            "The study reads natural English: name a folder of it with --text, for example the 100 novels of github.com/computationalstylistics/100_english_novels.",
            nameof(text)
        );
}
