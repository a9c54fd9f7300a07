namespace Engram.Models.Sampling;

/// <summary>How the next token is drawn.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 takes the most likely token.</summary>
    /// <value>At least 0. Default 1.</value>
    public double Temperature { get; init; } = 1;

    /// <summary>Keeps the smallest set of most likely tokens whose probability reaches this.</summary>
    /// <value>In (0, 1]. Default 1: all tokens.</value>
    public double TopP { get; init; } = 1;

    /// <summary>Seed of the draws; the same seed gives the same text.</summary>
    public int Seed { get; init; }

    /// <summary>Most new tokens.</summary>
    /// <value>At least 1. Default 128.</value>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Returns this, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public SamplingOptions Validated()
    {
        if (!(Temperature >= 0) || double.IsInfinity(Temperature))
            throw new ArgumentException($"Temperature {Temperature} is not a finite number of at least 0.", nameof(Temperature));
        if (!(TopP is > 0 and <= 1))
            throw new ArgumentException($"Top-p {TopP} is not in (0, 1].", nameof(TopP));
        if (MaxNewTokens < 1)
            throw new ArgumentException($"The number of new tokens {MaxNewTokens} is less than 1.", nameof(MaxNewTokens));
        return this;
    }
}

/// <summary>Draws token ids from logits; deterministic for a seed.</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly Random _random;
    private ulong[] _ranked = [];

    /// <summary>Starts a sequence of draws.</summary>
    public Sampler(SamplingOptions options)
    {
        _options = options.Validated();
        _random = new Random(options.Seed);
    }

    /// <summary>Draws one token id. Ties of the greedy choice go to the lower id.</summary>
    /// <param name="logits">One value per vocabulary entry; overwritten.</param>
    /// <param name="count">Entries eligible: ids from here on are never drawn, because they have no text.</param>
    public int Next(Span<float> logits, int count)
    {
        logits = logits[..count];
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

        if (_options.TopP < 1)
        {
            Array.Sort(_ranked);
            var (kept, mass) = (0, 0.0);
            while (kept < count && mass < _options.TopP * total)
                mass += Weight(_ranked[kept++]);
            (total, count) = (mass, Math.Max(kept, 1));
        }

        var target = _random.NextDouble() * total;
        for (var i = 0; i < count; i++)
        {
            target -= Weight(_ranked[i]);
            if (target < 0)
                return Id(_ranked[i]);
        }

        return Id(_ranked[count - 1]);
    }

    // 64 bits: complement of the weight's bits u32 | id u32. Weights are not negative, so their bits ascend as they do: sorted, the
    // likeliest token comes first and equal ones by id.
    private static ulong Rank(float weight, int id) => (ulong)~BitConverter.SingleToUInt32Bits(weight) << 32 | (uint)id;

    private static float Weight(ulong rank) => BitConverter.UInt32BitsToSingle(~(uint)(rank >> 32));

    private static int Id(ulong rank) => (int)(uint)rank;
}
