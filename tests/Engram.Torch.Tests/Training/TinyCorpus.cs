using Engram.Corpora;
using Engram.Tests.Corpora;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Training;

/// <summary>
/// Prepared data of a few thousand tokens in which a word says which two may follow it, so that an n-gram memory has something to learn.
/// </summary>
internal static class TinyCorpus
{
    private static readonly TemporaryFolder Folder = RemovedAtExit();
    private static readonly Lazy<PreparedCorpus> First = new(() => Prepare(Folder.File("first"), seed: 1));
    private static readonly Lazy<PreparedCorpus> Second = new(() => Prepare(Folder.File("second"), seed: 3));

    /// <summary>The data of all tests.</summary>
    public static PreparedCorpus Shared => First.Value;

    /// <summary>Other text with another tokenizer.</summary>
    public static PreparedCorpus Other => Second.Value;

    public static PreparedCorpus Prepare(string folder, int seed, int documents = 60, int words = 90)
    {
        var random = new Random(seed);
        var vocabulary = Enumerable.Range(0, 40).Select(_ => SampleText.Sentence(random, 1).TrimEnd('.')).ToArray();
        var followers = vocabulary.Select(_ => (random.Next(vocabulary.Length), random.Next(vocabulary.Length))).ToArray();
        var texts = Enumerable
            .Range(0, documents)
            .Select(_ =>
            {
                var word = random.Next(vocabulary.Length);
                return string.Join(
                    ' ',
                    Enumerable
                        .Range(0, words)
                        .Select(_ => vocabulary[word = random.Next(2) == 0 ? followers[word].Item1 : followers[word].Item2])
                );
            });
        return Prepare(folder, SampleText.WriteJsonLines(folder + ".jsonl", texts));
    }

    public static PreparedCorpus Prepare(string folder, string source) =>
        DataPreparation.Prepare(
            CorpusSource.Open(source),
            folder,
            new PreparationOptions
            {
                VocabularySize = 300,
                ValidationFraction = 0.1,
                MostLeftOut = 1,
            }
        );

    private static TemporaryFolder RemovedAtExit()
    {
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return folder;
    }
}
