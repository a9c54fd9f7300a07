using Engram.Torch.Memory;
using Engram.Models.Configuration;
using Engram.Torch.Generation;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>One input to a whole model, and the ways to run it.</summary>
internal sealed class TransformerRun : IDisposable
{
    private readonly ModelConfiguration _configuration;

    public TransformerRun(ModelConfiguration configuration, int sequences, int length, ScalarType type = ScalarType.Float32)
    {
        (_configuration, Sequences, Length) = (configuration, sequences, length);
        Ids = Sample.Ids(8, sequences * length, configuration.VocabularySize);
        Memory = configuration.Engram is null ? null : Sample.Memory(configuration, sequences, length, 9, type);
    }

    public int Sequences { get; }

    public int Length { get; }

    /// <summary>Row-major [B, T].</summary>
    public int[] Ids { get; }

    public GatheredMemory? Memory { get; }

    /// <summary>Row-major [B, T], or empty.</summary>
    public bool[] Starts { get; init; } = [];

    /// <summary>Hidden states [B, T, D] of whole sequences.</summary>
    public Tensor Hidden(EngramTransformer model, bool? absorbed = null) =>
        model.Forward(Ids, Starts, Sequences, Memory, absorbed: absorbed).Hidden.view(Sequences, Length, -1);

    /// <summary>Hidden states [B, T, D] through a decode state, in chunks.</summary>
    public Tensor HiddenInChunks(EngramTransformer model, int chunk, bool? absorbed = null)
    {
        using var state = model.NewState(Sequences);
        var parts = new List<Tensor>();
        for (var begin = 0; begin < Length; begin += chunk)
            parts.Add(HiddenOf(model, begin, Math.Min(begin + chunk, Length), state, absorbed));
        Assert.Equal(Length, state.Length);
        return cat(parts, 1);
    }

    /// <summary>Hidden states [B, end − begin, D] of the positions from begin to end, alone or continuing a state.</summary>
    public Tensor HiddenOf(EngramTransformer model, int begin, int end, DecodeState? state = null, bool? absorbed = null)
    {
        T[] Cut<T>(T[] all) => all.Length == 0 ? all : [.. Enumerable.Range(0, Sequences).SelectMany(b => all[(b * Length + begin)..(b * Length + end)])];
        using var memory = Memory?.Map(_configuration, rows => rows.narrow(1, begin, end - begin));
        return model.Forward(Cut(Ids), Cut(Starts), Sequences, memory, state, absorbed: absorbed).Hidden.view(Sequences, end - begin, -1);
    }

    public void Dispose() => Memory?.Dispose();
}
