using Engram.Corpora;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;

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

    /// <summary>The name of a text as it is tokenized; a part of every run's inputs.</summary>
    /// <exception cref="ArgumentException">The text is the user's, and none was named.</exception>
    internal string Identity(StudyCorpus corpus)
    {
        if (!_identities.TryGetValue(corpus, out var identity))
            _identities[corpus] = identity = RunInputs.DataIdentity(Source(corpus).Fingerprint(), corpus.VocabularySize);
        return identity;
    }

    /// <summary>Where the prepared text lies, or will.</summary>
    internal string Folder(StudyCorpus corpus) => Path.Combine(root, $"{corpus.Source}-{corpus.VocabularySize}-{Identity(corpus)[..FingerprintLetters]}");

    /// <summary>Prepares a text, or opens it where that was done before.</summary>
    internal PreparedCorpus Open(StudyCorpus corpus, IProgress<PreparationProgress>? progress, CancellationToken cancellation)
    {
        var folder = Folder(corpus);
        if (!_open.TryGetValue(folder, out var open))
        {
            Directory.CreateDirectory(root);
            _open[folder] = open = DataPreparation.Prepare(Source(corpus), folder, new PreparationOptions { VocabularySize = corpus.VocabularySize }, progress, cancellation: cancellation);
        }
        return open;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var corpus in _open.Values)
            corpus.Dispose();
    }

    private CorpusSource Source(StudyCorpus corpus) => CorpusSource.Open(corpus.Source == Text ? Named() : corpus.Source, new CorpusOptions { MaxDocuments = corpus.MaxDocuments });

    private string Named() => text ?? throw new ArgumentException(
        "The study reads natural English: name a folder of it with --text, for example the 100 novels of github.com/computationalstylistics/100_english_novels.");
}
