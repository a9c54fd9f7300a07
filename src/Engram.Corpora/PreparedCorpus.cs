using Engram.Tokenization;

namespace Engram.Corpora;

/// <summary>
/// A folder of prepared data, opened for reading: <c>data.json</c>, <c>tokenizer.json</c>, <c>train-NNNN.tok</c> and <c>.doc</c>,
/// <c>validation-NNNN.tok</c> and <c>.doc</c>. The ids stay on disk, mapped into memory.
/// </summary>
public sealed class PreparedCorpus : IDisposable
{
    /// <summary>The name of the tokenizer's file.</summary>
    public const string TokenizerFileName = "tokenizer.json";

    private readonly int[] _tokenBytes;

    private PreparedCorpus(string folder, CorpusSummary summary, Tokenizer tokenizer, TokenStream training, TokenStream validation)
    {
        Folder = folder;
        Summary = summary;
        Tokenizer = tokenizer;
        Training = training;
        Validation = validation;
        _tokenBytes = BytesOf(tokenizer);
    }

    /// <summary>UTF-8 bytes of text that each token id stands for; special tokens stand for none.</summary>
    internal static int[] BytesOf(Tokenizer tokenizer)
    {
        var bytes = new int[tokenizer.VocabularySize];
        for (var id = 0; id < bytes.Length; id++)
            bytes[id] = tokenizer.IsSpecial(id) ? 0 : tokenizer.TokenBytes(id).Length;
        return bytes;
    }

    /// <summary>Where it lies.</summary>
    public string Folder { get; }

    /// <summary>What it holds.</summary>
    public CorpusSummary Summary { get; }

    /// <summary>The tokenizer it is encoded with.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The training ids.</summary>
    public TokenStream Training { get; }

    /// <summary>The validation ids.</summary>
    public TokenStream Validation { get; }

    /// <summary>UTF-8 bytes that each token id stands for; 0 for special tokens, which are not text.</summary>
    public ReadOnlySpan<int> TokenBytes => _tokenBytes;

    /// <summary>Opens a folder and checks that its parts belong together.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or does not belong to the others.</exception>
    public static PreparedCorpus Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (IsRun(folder))
            throw new InvalidDataException(
                $"{folder}: is the folder of a training run, not prepared data. Give the folder that engram data prepare wrote."
            );
        var summary = CorpusSummary.Read(folder);
        var tokenizer = Tokenizer.Load(Path.Combine(folder, TokenizerFileName));
        if (tokenizer.Fingerprint != summary.TokenizerFingerprint || tokenizer.VocabularySize != summary.VocabularySize)
            throw Mismatch(folder, summary, tokenizer, TokenizerFileName);
        var training = OpenSplit(folder, summary, summary.Training);
        try
        {
            return new PreparedCorpus(folder, summary, tokenizer, training, OpenSplit(folder, summary, summary.Validation));
        }
        catch
        {
            training.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Whether a folder is that of a training run, which keeps the summary of its data under the name that prepared data have.
    /// </summary>
    internal static bool IsRun(string folder) =>
        File.Exists(Path.Combine(folder, "train.json")) && !File.Exists(Path.Combine(folder, TokenizerFileName));

    /// <summary>Makes sure that a model's tokenizer is the one these ids belong to.</summary>
    /// <exception cref="InvalidDataException">It is another one.</exception>
    public void RequireTokenizer(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.Fingerprint != Summary.TokenizerFingerprint)
            throw Mismatch(Folder, Summary, tokenizer, "the model's tokenizer");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Training.Dispose();
        Validation.Dispose();
    }

    /// <summary>Whole blocks of <paramref name="length"/> ids, each followed by one more id; at least one.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    internal long Blocks(TokenStream stream, string part, int length)
    {
        var blocks = (stream.Count - 1) / length;
        return blocks > 0
            ? blocks
            : throw new InvalidDataException(
                $"{Folder}: the {part} part holds {stream.Count} tokens, but one sequence of length {length} needs {(long)length + 1}. "
                    + "Give more text or use shorter sequences (--length)."
            );
    }

    private static TokenStream OpenSplit(string folder, CorpusSummary summary, SplitSummary split)
    {
        var stream = TokenStream.Open(
            split.Shards.Select(name => Path.Combine(folder, name)),
            summary.TokenizerFingerprint,
            summary.VocabularySize
        );
        if (stream.Count == split.Tokens && stream.Documents == split.Documents)
            return stream;
        stream.Dispose();
        throw new InvalidDataException(
            $"{folder}: {CorpusSummary.FileName} promises {split.Tokens} tokens in {split.Documents} documents, but "
                + $"{string.Join(", ", split.Shards)} hold "
                + $"{stream.Count} in {stream.Documents}. Delete the folder and prepare the data again."
        );
    }

    private static InvalidDataException Mismatch(string folder, CorpusSummary summary, Tokenizer tokenizer, string which) =>
        new(
            $"{folder}: prepared with the tokenizer {summary.TokenizerFingerprint} ({summary.VocabularySize} ids), but {which} is "
                + $"{tokenizer.Fingerprint} "
                + $"({tokenizer.VocabularySize} ids). Use that tokenizer or prepare the data with this one in another folder."
        );
}
