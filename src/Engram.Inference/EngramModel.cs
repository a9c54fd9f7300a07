using Engram.Inference.Layers;
using Engram.Inference.Sequences;
using Engram.Inference.Taps;
using Engram.Inference.Threads;
using Engram.Inference.Weights;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Models.Sequences;
using Engram.Tokenization;

namespace Engram.Inference;

// Shape letters: B sequences   T new tokens of each   V vocabulary

/// <summary>
/// A model folder ready to read and write text, in managed code alone. Weights stay in their mapped file, as they are stored; tables lie
/// where <see cref="MemoryOptions"/> says.
/// <para>
/// Immutable and safe to use from several threads, each with sequences of its own. Results have the same bits however a text is cut into
/// calls and whatever other sequences
/// share them. Reading a token allocates nothing once its sequence has room for it.
/// </para>
/// </summary>
public sealed class EngramModel : IDisposable
{
    // Enough rows to read every weight for many tokens, few enough for their values to stay in the second-level cache.
    private const int MostRows = 64;

    private readonly ModelWeights _weights;
    private readonly Transformer _transformer;
    private readonly DocumentRule _documents;
    private readonly Stack<ForwardPass> _passes = new();
    private readonly ThreadTeam<ForwardPass>? _team;
    private int _teamTaken;
    private int _running; // calls; guarded by _passes, as is what follows
    private bool _disposed;

    private EngramModel(ModelFolder folder, ModelWeights weights, Transformer transformer, MemoryBank? memory, int threads)
    {
        _team = threads > 1 ? new ThreadTeam<ForwardPass>(threads) : null;
        (Configuration, Tokenizer, Memory, _weights, _transformer) = (folder.Configuration, folder.Tokenizer, memory, weights, transformer);
        _documents = new DocumentRule(Configuration);
    }

    /// <summary>What the model is.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Text to token ids and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Its memory, or null.</summary>
    public MemoryBank? Memory { get; }

    /// <summary>Whether this engine computes such a model: not one whose memory joins the values of attention.</summary>
    public static bool Serves(ModelConfiguration configuration) => configuration.Engram is not { Fusion: FusionPlace.Values };

    /// <summary>Opens a model folder.</summary>
    /// <param name="folder">With config.json, tokenizer.json, model.safetensors and, for a model with memory, engram/.</param>
    /// <param name="memory">Where the tables live; read into memory by default.</param>
    /// <param name="threads">
    /// Threads that share the work of one call, the caller's included; one per core by default. They sleep between calls. Calls at the same
    /// time have them in turns: who finds
    /// them taken works alone. Results do not depend on it.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread.</exception>
    /// <exception cref="NotSupportedException">The engine does not serve the configuration (<see cref="Serves"/>).</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or does not fit the others; the message names file and difference.
    /// </exception>
    public static EngramModel Open(string folder, MemoryOptions? memory = null, int? threads = null)
    {
        var workers = threads ?? Environment.ProcessorCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1, nameof(threads));
        var opened = ModelFolder.Open(folder);
        var weights = ModelWeights.Open(opened.Weights);
        try
        {
            var transformer = new Transformer(opened.Configuration, weights);
            weights.RequireAllAsked();
            return new EngramModel(opened, weights, transformer, opened.OpenMemory(memory), workers);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>A sequence before its first token, read with the model's own memory.</summary>
    public Sequence NewSequence() => NewSequence(Memory);

    /// <summary>A sequence before its first token, read with another memory.</summary>
    /// <param name="memory">A control of the model's memory (<see cref="MemoryBank.Ablation"/>), or null: nothing is added.</param>
    public Sequence NewSequence(MemoryBank? memory) =>
        new(this, memory, new TokenHistory(_documents), _transformer.PartWidths, Configuration.FusedStreams);

    /// <summary>Reads the next tokens of a sequence. If it fails, the sequence stays as it was.</summary>
    /// <param name="sequence">One of this model.</param>
    /// <param name="tokenIds">The next ids [T]. Documents begin at the start token (<see cref="DocumentRule"/>).</param>
    /// <param name="logits">Receives logits behind the last token [V], or behind every one [T, V]; empty when none are wanted.</param>
    /// <param name="cancellation">Ends the call between pieces of a long text.</param>
    /// <exception cref="ArgumentException">
    /// The tokenizer does not define an id, the context is full, or <paramref name="logits"/> has another length.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    public void Read(Sequence sequence, ReadOnlySpan<int> tokenIds, Span<float> logits, CancellationToken cancellation = default) =>
        Read(new ReadOnlySpan<Sequence>(in sequence), tokenIds, logits, tap: null, cancellation);

    /// <summary>
    /// Reads the next tokens of a sequence and shows what its memory does with them. If it fails, the sequence stays as it was.
    /// </summary>
    /// <param name="sequence">One of this model.</param>
    /// <param name="tokenIds">The next ids [T].</param>
    /// <param name="logits">Receives logits behind the last token [V], or behind every one [T, V]; empty when none are wanted.</param>
    /// <param name="tap">Receives rows, gates and outputs of every memory layer, for these T tokens.</param>
    /// <param name="cancellation">Ends the call between pieces of a long text.</param>
    /// <inheritdoc cref="Read(Sequence, ReadOnlySpan{int}, Span{float}, CancellationToken)" path="/exception"/>
    public void Read(
        Sequence sequence,
        ReadOnlySpan<int> tokenIds,
        Span<float> logits,
        MemoryTap tap,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(tap);
        Read(new ReadOnlySpan<Sequence>(in sequence), tokenIds, logits, tap, cancellation);
    }

    /// <summary>
    /// Reads the next T tokens of B sequences together, each at its own position: weights are fetched once for all. If it fails, the
    /// sequences stay as they were.
    /// </summary>
    /// <param name="sequences">B sequences of this model, each once, all with the same memory.</param>
    /// <param name="tokenIds">The next ids, row-major [B, T].</param>
    /// <param name="logits">
    /// Receives logits behind the last token of each [B, V], or behind every one [B, T, V]; empty when none are wanted.
    /// </param>
    /// <param name="cancellation">Ends the call between pieces of a long text.</param>
    /// <exception cref="ArgumentException">
    /// Ids and sequences do not fit together, the tokenizer does not define an id, a context is full, or <paramref name="logits"/> has
    /// another length.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model is disposed.</exception>
    public void Read(
        ReadOnlySpan<Sequence> sequences,
        ReadOnlySpan<int> tokenIds,
        Span<float> logits,
        CancellationToken cancellation = default
    ) => Read(sequences, tokenIds, logits, tap: null, cancellation);

    private void Read(
        ReadOnlySpan<Sequence> sequences,
        ReadOnlySpan<int> tokenIds,
        Span<float> logits,
        MemoryTap? tap,
        CancellationToken cancellation
    )
    {
        tap?.Clear();
        var length = Check(sequences, tokenIds, logits.Length);
        var pass = Rent();
        pass.Tap = tap;
        pass.RememberLengths(sequences);
        var piece = Math.Max(1, MostRows / sequences.Length);
        var done = 0;
        try
        {
            for (; done < length; done += piece)
            {
                cancellation.ThrowIfCancellationRequested();
                ReadPiece(pass, sequences, tokenIds, done, Math.Min(piece, length - done), logits);
            }
        }
        finally
        {
            if (pass.Team is not null)
                Volatile.Write(ref _teamTaken, 0);
            if (done < length)
            {
                pass.RestoreLengths(sequences);
                tap?.Clear();
            }
            pass.End();
            lock (_passes)
            {
                _passes.Push(pass);
                _running--;
                Monitor.PulseAll(_passes);
            }
        }
    }

    /// <summary>Lets go of files and threads, after the calls that run; later ones are refused.</summary>
    public void Dispose()
    {
        lock (_passes)
        {
            if (_disposed)
                return;
            _disposed = true;
            while (_running > 0)
                Monitor.Wait(_passes);
        }

        _team?.Dispose();
        _weights.Dispose();
        Memory?.Dispose();
    }

    /// <summary>Reads tokens [B, from … from + count).</summary>
    private void ReadPiece(
        ForwardPass pass,
        ReadOnlySpan<Sequence> sequences,
        ReadOnlySpan<int> tokenIds,
        int from,
        int count,
        Span<float> logits
    )
    {
        var (length, vocabulary) = (tokenIds.Length / sequences.Length, Configuration.VocabularySize);
        var ids = pass.Ids(sequences.Length * count);
        for (var b = 0; b < sequences.Length; b++)
            tokenIds.Slice(b * length + from, count).CopyTo(ids[(b * count)..]);
        if (sequences[0].Memory is { } memory)
        {
            // Ids alone say what will be read: whatever lies on a device is on its way while the layers below compute.
            pass.TakeHistories(sequences);
            memory.AddressNext(pass.Histories, ids, pass.MemoryRows);
            memory.Prefetch(pass.MemoryRows);
        }

        for (var b = 0; b < sequences.Length; b++)
        {
            sequences[b].Reserve(sequences[b].Length + count);
            sequences[b].Tokens.Append(ids.Slice(b * count, count));
        }

        pass.Begin(sequences, count, Configuration.AttentionDocumentMask);
        _transformer.Forward(pass, ids);
        var everyToken = logits.Length == tokenIds.Length * (long)vocabulary;
        if (everyToken && count == length)
            _transformer.Logits(pass, 0, pass.Rows, logits);
        else if (everyToken)
            for (var b = 0; b < sequences.Length; b++)
                _transformer.Logits(pass, b * count, count, logits.Slice((b * length + from) * vocabulary, count * vocabulary));
        else if (!logits.IsEmpty && from + count == length)
            for (var b = 0; b < sequences.Length; b++)
                _transformer.Logits(pass, (b + 1) * count - 1, 1, logits.Slice(b * vocabulary, vocabulary));
    }

    private ForwardPass Rent()
    {
        ForwardPass? pass;
        lock (_passes)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_passes.TryPop(out pass))
                pass = new ForwardPass();
            _running++;
        }

        pass.Team = _team is not null && Interlocked.Exchange(ref _teamTaken, 1) == 0 ? _team : null;
        return pass;
    }

    /// <summary>Refuses what cannot be read; returns T.</summary>
    private int Check(ReadOnlySpan<Sequence> sequences, ReadOnlySpan<int> tokenIds, int logits)
    {
        if (sequences.IsEmpty || tokenIds.IsEmpty || tokenIds.Length % sequences.Length != 0)
            throw new ArgumentException(
                $"{tokenIds.Length} token ids do not make {sequences.Length} pieces of equal length, at least one token each.",
                nameof(tokenIds)
            );
        var (length, vocabulary, context) = (
            tokenIds.Length / sequences.Length,
            (long)Configuration.VocabularySize,
            Configuration.MaxPositionEmbeddings
        );
        if (logits != 0 && logits != sequences.Length * vocabulary && logits != tokenIds.Length * vocabulary)
            throw new ArgumentException(
                $"Room for {logits} logits; {sequences.Length * vocabulary} behind the last tokens, {tokenIds.Length * vocabulary} behind "
                    + "every one, or none are written.",
                nameof(logits)
            );
        for (var b = 0; b < sequences.Length; b++)
        {
            if (sequences[b].Model != this)
                throw new ArgumentException("A sequence belongs to another model.", nameof(sequences));
            if (sequences[b].Memory != sequences[0].Memory)
                throw new ArgumentException(
                    "The sequences are read with different memories: read them in calls of their own.",
                    nameof(sequences)
                );
            if (length > context - sequences[b].Length)
                throw new ArgumentException(
                    $"A sequence of {sequences[b].Length} tokens and {length} more do not fit into the context of {context}.",
                    nameof(tokenIds)
                );
            for (var other = 0; other < b; other++)
                if (sequences[b] == sequences[other])
                    throw new ArgumentException("A sequence is given twice.", nameof(sequences));
        }

        // A vocabulary may be padded beyond the ids that have text: nobody trained those, and a memory has no address for them.
        var ids = Tokenizer.VocabularySize;
        for (var i = 0; i < tokenIds.Length; i++)
            if ((uint)tokenIds[i] >= (uint)ids)
                throw new ArgumentOutOfRangeException(
                    nameof(tokenIds),
                    tokenIds[i],
                    $"Token id {tokenIds[i]} at position {i} has no text: the tokenizer defines the ids 0 to {ids - 1}."
                );
        return length;
    }
}
