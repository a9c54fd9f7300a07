using System.Text;
using Engram.Corpora.Files;

namespace Engram.Corpora.World;

/// <summary>
/// A world on disk.
/// <list type="table">
/// <item><term>text/part-NNNNN.jsonl</term><description>the text, a document a line; what <see cref="DataPreparation"/>
/// takes</description></item>
/// <item><term>facts.jsonl</term><description>every fact with how and how often the text states it</description></item>
/// <item><term>compositions.jsonl</term><description>every two-hop with its two facts, and whether the text states it</description></item>
/// <item><term>names.txt</term><description>every name, one a line</description></item>
/// <item><term>questions/KIND.jsonl</term><description>a question a line; renewed where the program asks others</description></item>
/// <item><term>tokenizer.json</term><description>a token for each word of the world</description></item>
/// <item><term>world.json</term><description>options, counts, and the sha256 of the other files</description></item>
/// </list>
/// </summary>
public static class WorldFolder
{
    /// <summary>The summary's name.</summary>
    public const string SummaryFileName = "world.json";

    /// <summary>The folder of the text.</summary>
    public const string Text = "text";

    /// <summary>The folder of the question sets.</summary>
    public const string QuestionFolder = "questions";

    /// <summary>Every fact.</summary>
    public const string FactFileName = "facts.jsonl";

    /// <summary>Share of real text where some is mixed in and nothing else is asked for.</summary>
    public const double DefaultRatio = 0.5;

    private const long BytesPerPart = 64L << 20;

    /// <summary>Writes a world, or finds it written.</summary>
    /// <param name="options">Which.</param>
    /// <param name="folder">Must not exist, be empty, or hold the same world. It appears only when it is complete.</param>
    /// <param name="mix">Real text to mix in; null for none.</param>
    /// <param name="ratio">Share of real text among all bytes, in (0, 1). Without effect without <paramref name="mix"/>.</param>
    /// <param name="progress">Told how many tokens are written.</param>
    /// <param name="cancellation">Leaves nothing behind.</param>
    /// <returns>What was made.</returns>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="IOException">The folder holds something else, or cannot be written; it is left as it was.</exception>
    /// <exception cref="InvalidDataException">There is too little real text.</exception>
    public static WorldSummary Write(
        WorldOptions options,
        string folder,
        CorpusSource? mix = null,
        double ratio = DefaultRatio,
        IProgress<long>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (mix is not null && !(ratio > 0 && ratio < 1))
            throw new ArgumentOutOfRangeException(nameof(ratio), ratio, "The share of real text must lie between 0 and 1.");
        var asked = new WorldSummary
        {
            Version = WorldOptions.Version,
            QuestionsVersion = WorldQuestions.Version,
            Options = options.Validated(),
            MixFingerprint = mix?.Fingerprint(cancellation),
            Ratio = mix is null ? 0 : ratio,
        };
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Existing(folder, asked) is { } existing)
            return existing.QuestionsVersion == WorldQuestions.Version ? existing : WithNewQuestions(folder, existing, cancellation);

        var unfinished = $"{folder}.making-{Path.GetRandomFileName()}";
        try
        {
            Directory.CreateDirectory(Path.Combine(unfinished, Text));
            Directory.CreateDirectory(Path.Combine(unfinished, QuestionFolder));
            var summary = Fill(unfinished, asked, mix is null ? null : new MixedText(mix, ratio), progress, cancellation);
            if (Directory.Exists(folder))
                Directory.Delete(folder);
            Directory.Move(unfinished, folder);
            return summary;
        }
        finally
        {
            if (Directory.Exists(unfinished))
                Directory.Delete(unfinished, recursive: true);
        }
    }

    private static WorldSummary? Existing(string folder, WorldSummary asked)
    {
        if (File.Exists(folder))
            throw new IOException($"{folder}: is a file. Choose another folder for the world.");
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
            return null;
        if (!File.Exists(Path.Combine(folder, SummaryFileName)))
            throw new IOException($"{folder}: is not empty and holds no world. Choose another folder.");
        var existing = WorldSummary.Read(folder);
        return existing.IsResultOf(asked)
            ? existing
            : throw new IOException(
                $"{folder}: holds a world of other options, version or mixed text. Choose another folder, or delete this one if no model "
                    + "needs it."
            );
    }

    /// <summary>Asks a world that is there what this program asks. Its text stays, and so do models that were trained on it.</summary>
    private static WorldSummary WithNewQuestions(string folder, WorldSummary existing, CancellationToken cancellation)
    {
        var files = new SortedDictionary<string, string>(existing.Files.ToDictionary(), StringComparer.Ordinal);
        foreach (var older in files.Keys.Where(file => file.StartsWith($"{QuestionFolder}/", StringComparison.Ordinal)).ToArray())
        {
            File.Delete(Path.Combine(folder, older));
            files.Remove(older);
        }
        var questions = WriteQuestions(folder, new SyntheticWorld(existing.Options), files, cancellation);
        // The summary comes last: what is interrupted is done again.
        var summary = existing with
        {
            QuestionsVersion = WorldQuestions.Version,
            Questions = questions,
            Files = files,
        };
        summary.Write(folder);
        return summary;
    }

    private static WorldSummary Fill(
        string folder,
        WorldSummary asked,
        MixedText? mix,
        IProgress<long>? progress,
        CancellationToken cancellation
    )
    {
        var world = new SyntheticWorld(asked.Options);
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var text = new WorldText(world);
        var documents = mix is null ? text.Documents() : mix.Into(text.Documents(), cancellation);
        var (count, bytes) = WriteText(folder, documents, files, () => progress?.Report(text.Tokens), cancellation);
        WorldLines.Write(folder, FactFileName, world.Facts.Concat(world.HomographFacts), WorldLines.Of, files);
        WorldLines.Write(folder, "compositions.jsonl", world.Compositions, WorldLines.Of, files);
        WorldLines.WriteFile(
            folder,
            "names.txt",
            stream =>
            {
                foreach (var entity in world.Entities)
                    stream.Write(Encoding.UTF8.GetBytes(entity.Name + "\n"));
            },
            files
        );
        var questions = WriteQuestions(folder, world, files, cancellation);
        var tokenizer = world.Tokenizer();
        tokenizer.Save(Path.Combine(folder, PreparedCorpus.TokenizerFileName));
        files[PreparedCorpus.TokenizerFileName] = WorldLines.Hash(Path.Combine(folder, PreparedCorpus.TokenizerFileName));
        var summary = asked with
        {
            Documents = count,
            Tokens = text.Tokens,
            TextBytes = bytes,
            VocabularySize = tokenizer.VocabularySize,
            Facts = world.Facts.Count,
            ContiguousFacts = world.Facts.Count(fact => fact.Key == FactKey.Contiguous),
            HomographFacts = world.HomographFacts.Count,
            Compositions = world.Compositions.Count,
            KnowledgeBits = world.Facts.Concat(world.HomographFacts).Sum(fact => fact.Bits),
            LeastExposures = world.Facts[^1].Exposures,
            MostExposures = world.Facts[0].Exposures,
            Questions = questions,
            Files = files,
        };
        summary.Write(folder);
        return summary;
    }

    private static SortedDictionary<string, int> WriteQuestions(
        string folder,
        SyntheticWorld world,
        SortedDictionary<string, string> files,
        CancellationToken cancellation
    )
    {
        var questions = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (kind, set) in new WorldQuestions(world).Sets())
        {
            cancellation.ThrowIfCancellationRequested();
            questions[kind] = WorldLines.Write(folder, $"{QuestionFolder}/{kind}.jsonl", set, WorldLines.Of, files);
        }
        return questions;
    }

    private static (long Documents, long Bytes) WriteText(
        string folder,
        IEnumerable<Document> documents,
        SortedDictionary<string, string> files,
        Action report,
        CancellationToken cancellation
    )
    {
        using var rest = documents.GetEnumerator();
        var (count, bytes, more) = (0L, 0L, rest.MoveNext());
        for (var part = 0; more; part++)
            WorldLines.WriteFile(
                folder,
                $"{Text}/part-{part:D5}.jsonl",
                stream =>
                {
                    while (more && stream.Position < BytesPerPart)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        WorldLines.Write(stream, json => json.WriteString("text", rest.Current.Text));
                        bytes += Encoding.UTF8.GetByteCount(rest.Current.Text);
                        if (++count % 1024 == 0)
                            report();
                        more = rest.MoveNext();
                    }
                },
                files
            );
        return (count, bytes);
    }
}
