using LLama;
using LLama.Common;
using LLama.Native;

namespace Engram.Benchmarks;

/// <summary>A GGUF file in llama.cpp, which reads token ids.</summary>
internal sealed class LlamaModel : IDisposable
{
    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;
    private readonly LLamaBatch _batch = new();
    private int _position;

    /// <summary>Opens a file.</summary>
    /// <param name="path">GGUF.</param>
    /// <param name="threads">Of prompts and of single tokens.</param>
    /// <param name="context">Most positions.</param>
    /// <param name="exact">Without its fused attention, which rounds to 16 bits; else it chooses.</param>
    public LlamaModel(string path, int threads, int context, bool exact = false)
    {
        var parameters = new ModelParams(path)
        {
            ContextSize = (uint)context,
            BatchSize = 512,
            UBatchSize = 512,
            Threads = threads,
            BatchThreads = threads,
            GpuLayerCount = 0,
            TypeK = LLama.Native.GGMLType.GGML_TYPE_F32,
            TypeV = LLama.Native.GGMLType.GGML_TYPE_F32,
            FlashAttention = exact ? false : null,
        };
        _weights = LLamaWeights.LoadFromFile(parameters);
        _context = _weights.CreateContext(parameters);
    }

    /// <summary>Forgets all tokens.</summary>
    public void Clear()
    {
        _context.NativeHandle.MemoryClear(true);
        _position = 0;
    }

    /// <summary>Reads tokens, at most 512; returns the logits behind the last, valid until the next call.</summary>
    public Span<float> Read(ReadOnlySpan<int> ids)
    {
        _batch.Clear();
        for (var i = 0; i < ids.Length; i++)
            _batch.Add(ids[i], _position++, LLamaSeqId.Zero, i == ids.Length - 1);
        var result = _context.Decode(_batch);
        return result == DecodeResult.Ok
            ? _context.NativeHandle.GetLogitsIth(ids.Length - 1)
            : throw new InvalidOperationException($"llama.cpp: {result}.");
    }

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }
}
