using System.Text;
using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>
/// Learns a byte-level vocabulary from text: starting from single bytes, the most frequent pair of neighbours inside a piece becomes a
/// token, again and again. Equal counts go to the smaller pair of ids. The result depends on the texts and options alone: not on their
/// order, nor on the machine. Rules of the reference trainer (Hugging Face tokenizers, models/bpe/trainer.rs), with 64-bit counts.
/// </summary>
/// <param name="options">What to make.</param>
public sealed class BpeTrainer(BpeTrainerOptions options)
{
    private const int MergesPerReport = 256;
    private const long CharactersPerReport = 1 << 20;

    private static readonly JsonElement ByteLevelDecoder = JsonElement.Parse(
        """{ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }"""
    );

    private readonly BpeTrainerOptions _options = (options ?? throw new ArgumentNullException(nameof(options))).Validated();

    /// <summary>Trains with the pre-tokenizer of DeepSeek-V3.</summary>
    /// <param name="texts">The corpus; each text is split on its own. Half surrogate pairs count as U+FFFD.</param>
    /// <param name="progress">Told every million characters and every few hundred merges.</param>
    /// <returns>
    /// The tokenizer: special tokens, then the 256 bytes in the order of their symbols, then merges by falling frequency.
    /// </returns>
    /// <exception cref="ArgumentException">The texts hold no character.</exception>
    public Tokenizer Train(IEnumerable<string> texts, IProgress<BpeTrainingProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var definition = EmptyDefinition();
        var splitter = PreTokenizer.FromJson(definition.Section("pre_tokenizer", definition.PreTokenizer));
        var counts = new PieceCounts();
        long read = 0,
            reported = 0;
        foreach (var text in texts)
        {
            splitter.Split(text, ref counts);
            read += text.Length;
            if (read - reported < CharactersPerReport)
                continue;
            reported = read;
            progress?.Report(new BpeTrainingProgress(read, counts.Distinct, 0));
        }
        if (counts.Distinct == 0)
            throw new ArgumentException("The texts hold nothing to learn from.", nameof(texts));
        return Train(
            counts,
            definition,
            vocabularySize => progress?.Report(new BpeTrainingProgress(read, counts.Distinct, vocabularySize))
        );
    }

    /// <summary>Trains on counted pieces.</summary>
    internal Tokenizer Train(PieceCounts pieces) => Train(pieces, EmptyDefinition(), _ => { });

    private Tokenizer Train(PieceCounts pieces, TokenizerDefinition definition, Action<int> report)
    {
        var tokens = definition.Tokens;
        var idOfByte = AddAlphabet(tokens);
        var lengths = new List<int>(tokens.Count);
        for (var id = 0; id < tokens.Count; id++)
            lengths.Add(1);

        var words = new MergeableWords(
            pieces,
            idOfByte,
            pair => lengths[pair.Left] + lengths[pair.Right] <= (_options.MaxTokenLength ?? int.MaxValue)
        );
        var merges = new List<Merge>();
        var concatenation = Array.Empty<byte>();
        var smallestCount = Math.Max(1, _options.MinFrequency);
        while (tokens.Count < _options.VocabularySize && words.MostFrequentPair(out var pair) is var count && count >= smallestCount)
        {
            // Two ways can lead to one string ("a"+"aa", "aa"+"a"); the second reuses the token of the first.
            var isNew = tokens.TryAdd(Concatenate(tokens, pair, ref concatenation), tokens.Count, out var merged);
            if (isNew)
                lengths.Add(lengths[pair.Left] + lengths[pair.Right]);
            if (words.Merge(pair, merged))
                merges.Add(new Merge(pair.Left, pair.Right, merged));
            if (merges.Count % MergesPerReport == 0)
                report(tokens.Count);
        }
        report(tokens.Count);

        tokens.IndexIds();
        return new Tokenizer(definition with { Merges = [.. merges] });
    }

    private TokenizerDefinition EmptyDefinition()
    {
        var tokens = new TokenTable();
        var special = new List<AddedToken>();
        foreach (var content in _options.SpecialTokens)
        {
            special.Add(new AddedToken(tokens.Count, content, Special: true));
            tokens.TryAdd(Encoding.UTF8.GetBytes(content), tokens.Count, out _);
        }
        return new TokenizerDefinition
        {
            Source = "trained tokenizer",
            Tokens = tokens,
            Merges = [],
            AddedTokens = [.. special],
            PreTokenizer = PreTokenizer.DeepSeekJson,
            Decoder = ByteLevelDecoder,
        };
    }

    private static int[] AddAlphabet(TokenTable tokens)
    {
        var idOfByte = new int[256];
        Span<byte> symbol = stackalloc byte[2];
        foreach (var value in Enumerable.Range(0, 256).OrderBy(value => ByteLevelAlphabet.Symbol((byte)value)))
        {
            idOfByte[value] = tokens.Count;
            tokens.TryAdd(symbol[..ByteLevelAlphabet.Encode([(byte)value], symbol)], tokens.Count, out _);
        }
        return idOfByte;
    }

    private static ReadOnlySpan<byte> Concatenate(TokenTable tokens, SymbolPair pair, ref byte[] buffer)
    {
        // Training adds tokens in the order of their ids.
        var left = tokens.Added(pair.Left);
        var right = tokens.Added(pair.Right);
        var length = left.Length + right.Length;
        if (buffer.Length < length)
            buffer = new byte[length * 2];
        left.CopyTo(buffer);
        right.CopyTo(buffer.AsSpan(left.Length));
        return buffer.AsSpan(0, length);
    }
}
