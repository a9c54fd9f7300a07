using System.Text.Json.Serialization;

namespace Engram.Corpora.World;

/// <summary>What world to make. Equal options give equal bytes.</summary>
public sealed record WorldOptions
{
    /// <summary>Changes when the same options give another world.</summary>
    public const int Version = 1;

    /// <summary>What everything random follows from.</summary>
    /// <value>Default 1.</value>
    public long Seed { get; init; } = 1;

    /// <summary>Facts about persons, places and works that hold everywhere; items that share a name come on top.</summary>
    /// <value>From 100 to 10 million. Default 2,000.</value>
    public int Facts { get; init; } = 2000;

    /// <summary>Share of these facts whose key is a contiguous n-gram.</summary>
    /// <value>
    /// In [0, 1]. Default 0.5. Of the others every second has an insertion behind the name, every second has its name taken apart too.
    /// </value>
    public double Contiguous { get; init; } = 0.5;

    /// <summary>
    /// How unequal the facts' frequencies are: the fact of rank q is stated in proportion to q to the power of minus this.
    /// </summary>
    /// <value>At least 0 (all alike). Default 0.8.</value>
    public double Exponent { get; init; } = 0.8;

    /// <summary>No subject occurs twice within so many tokens, so that a value cannot be copied from an earlier statement.</summary>
    /// <value>Tokens of the world's own tokenizer, at least 0. Default 128.</value>
    public int Window { get; init; } = 128;

    /// <summary>Length of the text, met within a few percent.</summary>
    /// <value>Tokens of the world's own tokenizer. Default 4 million.</value>
    public long Tokens { get; init; } = 4_000_000;

    /// <summary>Share of two-hop sentences.</summary>
    /// <value>Of the tokens, in [0, 1). Default 0.1.</value>
    public double TwoHopShare { get; init; } = 0.1;

    /// <summary>Share of sentences about items that share their name with another.</summary>
    /// <value>Of the tokens, in [0, 1). Default 0.1.</value>
    public double HomographShare { get; init; } = 0.1;

    /// <summary>Share of passages about strangers, whose values hold in their passage only.</summary>
    /// <value>Of the tokens, in [0, 1). Default 0.1.</value>
    public double PassageShare { get; init; } = 0.1;

    /// <summary>Share of sums.</summary>
    /// <value>Of the tokens, in (0, 1). Default 0.05; sums also fill up the end of the text.</value>
    public double ArithmeticShare { get; init; } = 0.05;

    /// <summary>Questions of each kind.</summary>
    /// <value>At least 1. Default 1,000.</value>
    public int Questions { get; init; } = 1000;

    /// <summary>Share of the tokens that state single facts: what the other kinds leave.</summary>
    [JsonIgnore]
    public double FactShare => 1 - TwoHopShare - HomographShare - PassageShare - ArithmeticShare;

    /// <summary>Returns this instance, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public WorldOptions Validated()
    {
        if (Facts is < 100 or > 10_000_000)
            throw new ArgumentOutOfRangeException(nameof(Facts), Facts, $"A world has 100 to 10,000,000 facts, not {Facts}.");
        Require(Contiguous is >= 0 and <= 1, nameof(Contiguous), Contiguous, "The share of contiguous facts must lie between 0 and 1");
        Require(Exponent is >= 0 and <= 4, nameof(Exponent), Exponent, "The exponent of the frequencies must lie between 0 and 4");
        ArgumentOutOfRangeException.ThrowIfNegative(Window, nameof(Window));
        ArgumentOutOfRangeException.ThrowIfLessThan(Tokens, 1, nameof(Tokens));
        ArgumentOutOfRangeException.ThrowIfLessThan(Questions, 1, nameof(Questions));
        foreach (
            var (share, name) in new[]
            {
                (TwoHopShare, nameof(TwoHopShare)),
                (HomographShare, nameof(HomographShare)),
                (PassageShare, nameof(PassageShare)),
            }
        )
            Require(share is >= 0 and < 1, name, share, "A share must lie between 0 and 1");
        Require(ArithmeticShare is > 0 and < 1, nameof(ArithmeticShare), ArithmeticShare, "The share of sums must lie between 0 and 1");
        Require(
            FactShare > 0,
            nameof(FactShare),
            FactShare,
            "Two-hop sentences, same names, passages and sums must leave room for facts; their shares together, less than 1, leave"
        );
        return this;
    }

    private static void Require(bool holds, string name, double value, string rule)
    {
        if (!holds)
            throw new ArgumentOutOfRangeException(name, value, $"{rule}: {value}.");
    }
}
