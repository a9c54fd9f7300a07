using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;
using Engram.Torch.Memory;
using Engram.Torch.Sequences;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Torch;

/// <summary>A whole model: tokenizer, dense transformer and, where configured, memory. What a model folder holds.</summary>
public sealed class LanguageModel : IDisposable
{
    // The mask of a piece behind 32,768 tokens takes 160 MB.
    private const int ReadAtOnce = 1024;

    private readonly MemoryRows _nextRows = new();

    internal LanguageModel(Tokenizer tokenizer, EngramTransformer transformer, MemoryBank? memory) =>
        (Tokenizer, Transformer, Memory) = (tokenizer, transformer, memory);

    /// <summary>What the model is.</summary>
    public ModelConfiguration Configuration => Transformer.Configuration;

    /// <summary>Text to token ids and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The dense part.</summary>
    public EngramTransformer Transformer { get; }

    /// <summary>The memory, or null.</summary>
    public MemoryBank? Memory { get; }

    /// <summary>Which training the weights are of (<see cref="ModelIdentity"/>); null where nobody has said.</summary>
    internal string? Identity { get; init; }

    /// <summary>A model with starting values.</summary>
    /// <param name="configuration">
    /// Its vocabulary must hold the tokenizer's ids. The compressed vocabulary size is taken from the tokenizer where it is 0.
    /// </param>
    /// <param name="tokenizer">Stays the caller's.</param>
    /// <param name="seed">Of all starting values; they depend on nothing else.</param>
    /// <param name="device">Where the dense part lives; host memory by default.</param>
    /// <exception cref="ArgumentException">Configuration and tokenizer do not fit.</exception>
    public static LanguageModel Create(ModelConfiguration configuration, Tokenizer tokenizer, long seed, Device? device = null) =>
        Create(configuration, tokenizer, seed, device, trainingFolder: null, identity: null);

    /// <summary>
    /// A model for a training of that identity, whose tables are made where they are trained: in files of a folder, or in memory if it is
    /// null.
    /// </summary>
    internal static LanguageModel Create(
        ModelConfiguration configuration,
        Tokenizer tokenizer,
        long seed,
        Device? device,
        string? trainingFolder,
        string? identity
    )
    {
        if (tokenizer.VocabularySize > configuration.VocabularySize)
            throw new ArgumentException(
                $"The tokenizer defines {tokenizer.VocabularySize} ids but vocab_size is {configuration.VocabularySize}: raise vocab_size "
                    + "or train a smaller tokenizer.",
                nameof(configuration)
            );
        MemoryBank? memory = null;
        if (configuration.Engram is { } engram)
        {
            memory = MemoryBank.Create(configuration, tokenizer, seed, trainingFolder, identity);
            var canonical = memory.Map.CanonicalVocabularySize;
            if (engram.CompressedVocabularySize != 0 && engram.CompressedVocabularySize != canonical)
                throw new ArgumentException(
                    $"engram_compressed_vocab_size is {engram.CompressedVocabularySize} but the tokenizer compresses to {canonical} "
                        + "canonical ids.",
                    nameof(configuration)
                );
            configuration = configuration with { Engram = engram with { CompressedVocabularySize = canonical } };
        }

        var transformer = new EngramTransformer(configuration, device);
        transformer.Parameters.Initialize(seed);
        return new LanguageModel(tokenizer, transformer, memory) { Identity = identity };
    }

    /// <summary>Opens a model folder.</summary>
    /// <param name="folder">With config.json, tokenizer.json, model.safetensors and, for a model with memory, engram/.</param>
    /// <param name="device">Where the dense part goes; host memory by default.</param>
    /// <param name="memory">Where the tables live; read into memory by default.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or does not fit the others; the message names file and difference.
    /// </exception>
    public static LanguageModel Load(string folder, Device? device = null, MemoryOptions? memory = null) =>
        LanguageModelFolder.Load(folder, device, memory);

    /// <summary>Opens a model folder under another configuration of the same weights, for example one with a longer context.</summary>
    /// <param name="folder">As above.</param>
    /// <param name="configuration">Says how the weights are used.</param>
    /// <param name="memory">Where the tables live; read into memory by default.</param>
    /// <exception cref="InvalidDataException">A file is damaged, or the weights are others than the configuration has.</exception>
    public static LanguageModel Load(string folder, ModelConfiguration configuration, MemoryOptions? memory = null) =>
        LanguageModelFolder.Load(folder, device: null, memory, configuration);

    /// <summary>Writes a model folder. A folder of that name is replaced only when everything has been written.</summary>
    /// <param name="folder">Its parent is created if needed.</param>
    public void Save(string folder) => LanguageModelFolder.Save(this, folder);

    /// <summary>Gathers the memory of whole sequences, or null for a model without memory.</summary>
    /// <param name="ids">Row-major [B, T].</param>
    /// <param name="documentStarts">True at the first token of each document; empty when every sequence is one document.</param>
    /// <param name="sequences">B.</param>
    /// <param name="memory">The memory to read instead of the model's own, for example a shuffled one.</param>
    public GatheredMemory? GatherMemory(ReadOnlySpan<int> ids, ReadOnlySpan<bool> documentStarts, int sequences, MemoryBank? memory = null)
    {
        if ((memory ?? Memory) is not { } bank)
            return null;
        var rows = new MemoryRows();
        bank.Address(ids, documentStarts, sequences, rows);
        return bank.Gather(rows, 0, sequences, ids.Length / sequences, Transformer.Parameters.Device, requiresGradient: false);
    }

    /// <summary>
    /// Reads the next T tokens of B sequences: addresses and gathers their rows, runs the forward pass and appends them to their states.
    /// Returns hidden states [N, D]. Long texts are read in pieces, so that memory grows with their length and not with its square.
    /// </summary>
    /// <param name="states">B states of this model, each once, at any positions. If a pass fails, they stay as they were.</param>
    /// <param name="ids">Token ids, row-major [B, T]: as many for each sequence.</param>
    /// <param name="memory">The memory to read: the model's own or a control; null adds nothing.</param>
    /// <param name="taps">Takes inner values; the text is then read in one piece.</param>
    /// <exception cref="ArgumentException">
    /// Ids and states do not fit together, a state is given twice, or an id is not in the vocabulary.
    /// </exception>
    public Tensor Continue(IReadOnlyList<SequenceState> states, ReadOnlySpan<int> ids, MemoryBank? memory, ForwardTaps? taps = null) =>
        Continue(states, ids, memory, taps, ReadAtOnce);

    /// <inheritdoc cref="Continue(IReadOnlyList{SequenceState}, ReadOnlySpan{int}, MemoryBank, ForwardTaps)"/>
    /// <param name="states">B states.</param>
    /// <param name="ids">Token ids, row-major [B, T].</param>
    /// <param name="memory">The memory to read, or null.</param>
    /// <param name="taps">Takes inner values.</param>
    /// <param name="piece">Positions of each sequence that are read in one pass.</param>
    internal Tensor Continue(IReadOnlyList<SequenceState> states, ReadOnlySpan<int> ids, MemoryBank? memory, ForwardTaps? taps, int piece)
    {
        var length = ids.Length / Math.Max(1, states.Count);
        if (length <= piece || taps is not null || length * states.Count != ids.Length)
            return Read(states, ids, memory, taps);
        using var scope = NewDisposeScope();
        int[] before = [.. states.Select(state => state.Length)];
        var hidden = new List<Tensor>();
        try
        {
            for (var from = 0; from < length; from += piece)
            {
                var count = Math.Min(piece, length - from);
                var part = new int[states.Count * count];
                for (var b = 0; b < states.Count; b++)
                    ids.Slice(b * length + from, count).CopyTo(part.AsSpan(b * count));
                hidden.Add(Read(states, part, memory, null).view(states.Count, count, -1));
            }
        }
        catch
        {
            for (var b = 0; b < states.Count; b++)
                states[b].Truncate(before[b]);
            throw;
        }

        return cat(hidden, 1).view(ids.Length, -1).MoveToOuterDisposeScope();
    }

    private Tensor Read(IReadOnlyList<SequenceState> states, ReadOnlySpan<int> ids, MemoryBank? memory, ForwardTaps? taps)
    {
        if (memory is null)
            return Transformer.Continue(states, ids, null, taps);
        memory.AddressNext([.. states.Select(state => state.Tokens)], ids, _nextRows);
        using var gathered = memory.Gather(
            _nextRows,
            0,
            states.Count,
            ids.Length / states.Count,
            Transformer.Parameters.Device,
            requiresGradient: false
        );
        return Transformer.Continue(states, ids, gathered, taps);
    }

    /// <summary>
    /// Name of the first tensor that holds a value that is not finite, or null. Of mapped tables only rows that training has changed are
    /// looked at.
    /// </summary>
    internal string? FirstNonFinite()
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in Transformer.Parameters.All)
            if (!parameter.Tensor.isfinite().all().item<bool>())
                return parameter.Name;
        return Memory?.Tables.FirstNotFinite();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Transformer.Dispose();
        Memory?.Dispose();
    }
}
