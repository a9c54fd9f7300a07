namespace Engram.Models.Sampling;

/// <summary>Draws token ids from logits; deterministic for a seed.</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly Random _random;
    private ulong[] _ranked = [];
    private bool[] _penalized = [];

    /// <summary>Starts a sequence of draws.</summary>
    public Sampler(SamplingOptions options)
    {
        _options = options.Validated();
        _random = new Random(options.Seed);
    }

    /// <summary>Draws one token id. Ties of the greedy choice go to the lower id.</summary>
    /// <param name="logits">One value per vocabulary entry; overwritten.</param>
    /// <param name="count">Entries eligible: ids from here on are never drawn, because they have no text.</param>
    /// <param name="text">Token ids of the text so far, which a repetition penalty makes less likely.</param>
    public int Next(Span<float> logits, int count, ReadOnlySpan<int> text = default)
    {
        logits = logits[..count];
        if (_options.RepetitionPenalty != 1)
            Penalize(logits, text);
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        if (_options.Temperature == 0)
            return best;

        // Probabilities relative to the most likely token.
        if (_ranked.Length != count)
            _ranked = new ulong[count];
        var (max, total) = (logits[best], 0.0);
        for (var i = 0; i < count; i++)
        {
            _ranked[i] = Rank((float)Math.Exp((logits[i] - max) / _options.Temperature), i);
            total += Weight(_ranked[i]);
        }

        if (_options.TopP < 1 || _options.TopK > 0 || _options.MinP > 0)
            (count, total) = Keep(total);
        var target = _random.NextDouble() * total;
        for (var i = 0; i < count; i++)
        {
            target -= Weight(_ranked[i]);
            if (target < 0)
                return Id(_ranked[i]);
        }

        return Id(_ranked[count - 1]);
    }

    /// <summary>Sorts the tokens, likeliest first; returns how many of them stay, at least one, and their weight.</summary>
    private (int Count, double Total) Keep(double total)
    {
        Array.Sort(_ranked);
        var most = _ranked.Length;
        if (_options.TopK > 0 && _options.TopK < most)
        {
            (most, total) = (_options.TopK, 0);
            for (var i = 0; i < most; i++)
                total += Weight(_ranked[i]);
        }

        var (kept, mass) = (0, 0.0);
        while (kept < most && (_options.TopP == 1 || mass < _options.TopP * total) && (kept == 0 || Weight(_ranked[kept]) >= _options.MinP))
            mass += Weight(_ranked[kept++]);
        return (kept, mass);
    }

    private void Penalize(Span<float> logits, ReadOnlySpan<int> text)
    {
        if (_penalized.Length != logits.Length)
            _penalized = new bool[logits.Length];
        Array.Clear(_penalized);
        foreach (var id in text)
            if (id < logits.Length && !_penalized[id])
            {
                _penalized[id] = true;
                logits[id] = (float)(logits[id] > 0 ? logits[id] / _options.RepetitionPenalty : logits[id] * _options.RepetitionPenalty);
            }
    }

    // 64 bits: complement of the weight's bits u32 | id u32. Weights are not negative, so their bits ascend as they do: sorted, the
    // likeliest token comes first and equal ones by id.
    private static ulong Rank(float weight, int id) => (ulong)~BitConverter.SingleToUInt32Bits(weight) << 32 | (uint)id;

    private static float Weight(ulong rank) => BitConverter.UInt32BitsToSingle(~(uint)(rank >> 32));

    private static int Id(ulong rank) => (int)(uint)rank;
}
