using Engram.Models.Configuration;
using Engram.Torch.Memory;
using Engram.Torch.Sequences;
using Engram.Torch.Taps;
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
    public bool[] Starts { get; set; } = [];

    /// <summary>
    /// Begins documents where marks say so, and only there: with the configuration's start token, which no other position keeps.
    /// </summary>
    public void MarkDocuments(Func<int, bool> marks)
    {
        var start = _configuration.StartTokenId!.Value;
        Starts = [.. Enumerable.Range(0, Ids.Length).Select(marks)];
        for (var i = 0; i < Ids.Length; i++)
            Ids[i] =
                Starts[i] ? start
                : Ids[i] == start ? start - 1
                : Ids[i];
    }

    /// <summary>Hidden states [B, T, D] of whole sequences.</summary>
    public Tensor Hidden(EngramTransformer model, bool absorbed = false) =>
        model.Forward(Ids, Starts, Sequences, Memory, training: false, taps: null, absorbed).Hidden.view(Sequences, Length, -1);

    /// <summary>Hidden states [B, T, D] through states, in chunks.</summary>
    public Tensor HiddenInChunks(EngramTransformer model, int chunk, bool? absorbed = null)
    {
        var states = Enumerable.Range(0, Sequences).Select(_ => model.NewState()).ToArray();
        var parts = new List<Tensor>();
        for (var begin = 0; begin < Length; begin += chunk)
            parts.Add(Next(model, states, begin, Math.Min(begin + chunk, Length), absorbed));
        Assert.All(states, state => Assert.Equal(Length, state.Length));
        foreach (var state in states)
            state.Dispose();
        return cat(parts, 1);
    }

    /// <summary>Hidden states [B, end − begin, D] of the positions from begin to end, continuing states.</summary>
    public Tensor Next(EngramTransformer model, SequenceState[] states, int begin, int end, bool? absorbed = null, ForwardTaps? taps = null)
    {
        using var memory = Memory?.Map(_configuration, rows => rows.narrow(1, begin, end - begin));
        return model.Continue(states, Cut(Ids, begin, end), memory, taps, absorbed).view(Sequences, end - begin, -1);
    }

    /// <summary>Hidden states [B, end − begin, D] of the positions from begin to end, as sequences of their own.</summary>
    public Tensor HiddenOf(EngramTransformer model, int begin, int end)
    {
        using var memory = Memory?.Map(_configuration, rows => rows.narrow(1, begin, end - begin));
        return model.Forward(Cut(Ids, begin, end), Cut(Starts, begin, end), Sequences, memory).Hidden.view(Sequences, end - begin, -1);
    }

    private T[] Cut<T>(T[] all, int begin, int end) =>
        all.Length == 0 ? all : [.. Enumerable.Range(0, Sequences).SelectMany(b => all[(b * Length + begin)..(b * Length + end)])];

    public void Dispose() => Memory?.Dispose();
}
