using System.Text;
using Engram.Corpora.Files;
using Engram.Tokenization;

namespace Engram.Corpora;

/// <summary>
/// Turns a corpus into token shards: read, leave out duplicates, divide into training and validation, leave out of training what is like
/// validation, train the tokenizer on the training part
/// (unless one is given), encode. The same corpus and options give the same bytes, on any number of cores. All text is held in memory
/// meanwhile.
/// </summary>
public static class DataPreparation
{
    private const int DocumentsPerGroup = 4096;

    /// <summary>Prepares a corpus, or opens the folder if the same corpus was prepared there with the same options.</summary>
    /// <param name="source">The corpus.</param>
    /// <param name="folder">
    /// Receives the data. Must not exist, be empty, or hold the result of the same preparation. It appears only when it is complete.
    /// </param>
    /// <param name="options">Tokenizer and split; null for the defaults.</param>
    /// <param name="progress">Told about each step.</param>
    /// <param name="skipped">
    /// Told about each line, row or file that cannot be read and is left out (<see cref="CorpusOptions.SkipBad"/>).
    /// </param>
    /// <param name="cancellation">Leaves nothing behind.</param>
    /// <returns>The folder, opened; the caller disposes of it.</returns>
    /// <exception cref="InvalidDataException">The corpus is empty, damaged, or has too few different documents.</exception>
    /// <exception cref="IOException">The folder holds something else, or cannot be written; it is left as it was.</exception>
    public static PreparedCorpus Prepare(
        CorpusSource source,
        string folder,
        PreparationOptions? options = null,
        IProgress<PreparationProgress>? progress = null,
        Action<string>? skipped = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        options = (options ?? new PreparationOptions()).Validated();
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var fingerprint = source.Fingerprint(cancellation);
        if (IsPrepared(folder, source, fingerprint, options))
            return PreparedCorpus.Open(folder);

        // Beside the target, so that a rename moves it there whole.
        var unfinished = $"{folder}.preparing-{Path.GetRandomFileName()}";
        try
        {
            Directory.CreateDirectory(unfinished);
            Build(source, fingerprint, unfinished, options, progress, skipped, cancellation);
            if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
                Directory.Delete(folder);
            // Another process may have finished the same preparation meanwhile.
            if (!IsPrepared(folder, source, fingerprint, options))
                Directory.Move(unfinished, folder);
        }
        finally
        {
            if (Directory.Exists(unfinished))
                Directory.Delete(unfinished, recursive: true);
        }
        return PreparedCorpus.Open(folder);
    }

    private static bool IsPrepared(string folder, CorpusSource source, string fingerprint, PreparationOptions options)
    {
        if (File.Exists(folder))
            throw new IOException($"{folder}: is a file. Choose another folder for the data.");
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
            return false;
        if (PreparedCorpus.IsRun(folder))
            throw new IOException($"{folder}: is the folder of a training run. Choose another folder for the data.");
        if (!File.Exists(Path.Combine(folder, CorpusSummary.FileName)))
            throw new IOException($"{folder}: is not empty and holds no prepared data. Choose another folder.");
        var summary = CorpusSummary.Read(folder);
        return summary.IsResultOf(fingerprint, options)
            ? true
            : throw new IOException(
                $"{folder}: holds data prepared from '{summary.Source}' with other text, options or tokenizer than '{source.Spec}' now. "
                    + "Choose another folder, or delete this one if no model needs it."
            );
    }

    private static void Build(
        CorpusSource source,
        string fingerprint,
        string folder,
        PreparationOptions options,
        IProgress<PreparationProgress>? progress,
        Action<string>? skipped,
        CancellationToken cancellation
    )
    {
        var bad = 0;
        var read = Read(
            source,
            progress,
            what =>
            {
                bad++;
                skipped?.Invoke(what);
            },
            cancellation
        );
        var cut = read.Count < 1 / options.ValidationFraction;
        if (cut)
            read = [.. read.SelectMany(ParagraphGroups.Cut)];

        progress?.Report(new PreparationProgress(PreparationStage.LeavingOutDuplicates, 0, read.Count));
        var (kept, duplicates) = NearDuplicates.Remove(read, cancellation);
        if (kept.Count < 2)
            throw new InvalidDataException(
                $"'{source.Spec}' has {kept.Count} of {read.Count} documents left without duplicates (texts that differ only in digits or "
                    + "punctuation count as one); training and validation need at least one each. Give more text."
            );
        var (forTraining, forValidation) = CorpusSplit.Divide(kept, options.ValidationFraction);
        var (training, validation) = Decontamination.Separate(forTraining, forValidation, options.MostLeftOut, cancellation);
        var (alike, givenUp) = (forTraining.Count - training.Count, forValidation.Count - validation.Count);
        if (training.Count == 0 || alike > options.MostLeftOut * forTraining.Count)
            throw new InvalidDataException(
                $"'{source.Spec}': {alike} of {forTraining.Count} documents for training share half of their three-word sequences or more "
                    + "with one for validation"
                    + (givenUp > 0 ? $", also without {givenUp} of {forValidation.Count} validation documents. " : ". ")
                    + "Give more varied text"
                    + (
                        training.Count == 0
                            ? "."
                            : $", or accept that a larger share than {options.MostLeftOut} is left out (engram data prepare --most-left-out)."
                    )
            );

        var tokenizer = options.Tokenizer ?? Train(training, options, progress, cancellation);
        tokenizer.Save(Path.Combine(folder, PreparedCorpus.TokenizerFileName));
        var writer = new SplitWriter(
            folder,
            tokenizer,
            tokenizer.TokenToId(options.EndOfText)!.Value,
            training.Count + validation.Count,
            progress,
            cancellation
        );
        new CorpusSummary
        {
            Version = CorpusSummary.CurrentVersion,
            Source = source.Spec,
            SourceFingerprint = fingerprint,
            ValidationFraction = options.ValidationFraction,
            MostLeftOut = options.MostLeftOut,
            SkippedBad = bad,
            TrainedVocabularySize = options.Tokenizer is null ? options.VocabularySize : null,
            TokenizerFingerprint = tokenizer.Fingerprint,
            VocabularySize = tokenizer.VocabularySize,
            EndOfText = options.EndOfText,
            EndOfTextId = tokenizer.TokenToId(options.EndOfText)!.Value,
            CutIntoParagraphGroups = cut,
            Deduplication = duplicates with { NearValidation = alike, ValidationGivenUp = givenUp },
            Training = writer.Write("train", training),
            Validation = writer.Write("validation", validation),
        }.Write(folder);
    }

    private static List<Document> Read(
        CorpusSource source,
        IProgress<PreparationProgress>? progress,
        Action<string> skipped,
        CancellationToken cancellation
    )
    {
        progress?.Report(new PreparationProgress(PreparationStage.Reading, 0, 0));
        var documents = new List<Document>();
        foreach (var document in source.Read(skipped, cancellation))
        {
            documents.Add(document);
            if (documents.Count % DocumentsPerGroup == 0)
                progress?.Report(new PreparationProgress(PreparationStage.Reading, documents.Count, 0));
        }
        return documents.Count > 0
            ? documents
            : throw new InvalidDataException($"The corpus '{source.Spec}' is empty: {source.Files.Count()} file(s), no text in them.");
    }

    private static Tokenizer Train(
        List<Document> training,
        PreparationOptions options,
        IProgress<PreparationProgress>? progress,
        CancellationToken cancellation
    )
    {
        progress?.Report(new PreparationProgress(PreparationStage.TrainingTokenizer, 0, training.Count));
        var trainer = new BpeTrainer(
            new BpeTrainerOptions
            {
                VocabularySize = options.VocabularySize,
                SpecialTokens = [options.EndOfText, PreparationOptions.Padding],
            }
        );
        return trainer.Train(training.Select(document => document.Text), new StopOnReport(cancellation));
    }

    /// <summary>The trainer reports every million characters and every few hundred merges: there it can be stopped.</summary>
    private sealed class StopOnReport(CancellationToken cancellation) : IProgress<BpeTrainingProgress>
    {
        public void Report(BpeTrainingProgress value) => cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Encodes in parallel, group by group, and writes in order.</summary>
    private sealed class SplitWriter(
        string folder,
        Tokenizer tokenizer,
        int endOfText,
        int total,
        IProgress<PreparationProgress>? progress,
        CancellationToken cancellation
    )
    {
        private readonly DocumentEncoder _encoder = new(tokenizer);
        private long _done;

        internal SplitSummary Write(string split, List<Document> documents)
        {
            using var writer = new TokenShardWriter(folder, split, tokenizer.Fingerprint, tokenizer.VocabularySize, endOfText);
            foreach (var group in documents.Chunk(DocumentsPerGroup))
            {
                var encoded = new int[group.Length][];
                Parallel.For(
                    0,
                    group.Length,
                    new ParallelOptions { CancellationToken = cancellation },
                    () => new List<int>(),
                    (i, _, ids) =>
                    {
                        _encoder.Encode(group[i].Text, ids);
                        encoded[i] = [.. ids];
                        return ids;
                    },
                    _ => { }
                );
                foreach (var ids in encoded)
                    writer.Append(ids);
                progress?.Report(new PreparationProgress(PreparationStage.Encoding, _done += group.Length, total));
            }
            writer.Complete();
            return new SplitSummary(
                documents.Count,
                writer.TotalCount,
                documents.Sum(document => (long)Encoding.UTF8.GetByteCount(document.Text)),
                writer.Shards
            );
        }
    }
}
