using System.Text.Json.Serialization;

namespace Engram.Studies.Definitions;

/// <summary>Something that the paper, or the prediction, says and that the numbers decide.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(DifferenceClaim), "difference")]
[JsonDerivedType(typeof(InteriorMinimumClaim), "interior_minimum")]
[JsonDerivedType(typeof(LogLinearClaim), "log_linear")]
[JsonDerivedType(typeof(BestArmClaim), "best_arm")]
[JsonDerivedType(typeof(LevelClaim), "level")]
[JsonDerivedType(typeof(ShareClaim), "share")]
[JsonDerivedType(typeof(MinimumMovesClaim), "minimum_moves")]
public abstract record StudyClaim
{
    /// <summary>What is claimed, one sentence.</summary>
    public required string Text { get; init; }

    /// <summary>What is looked at.</summary>
    public string Measure { get; init; } = "loss";

    /// <summary>Patterns of the settings that decide; selections never do.</summary>
    public IReadOnlyList<string> Settings { get; init; } = ["*"];
}

/// <summary>One arm lies below (or above) another one by more than the noise.</summary>
public sealed record DifferenceClaim : StudyClaim
{
    /// <summary>The arm in question.</summary>
    public required string Arm { get; init; }

    /// <summary>What it is compared with.</summary>
    public required string Baseline { get; init; }

    /// <summary>Whether the arm is claimed to lie above.</summary>
    public bool Above { get; init; }

    /// <summary>The smallest difference that counts, in units of the measure.</summary>
    public double AtLeast { get; init; }
}

/// <summary>A curve over the share of experts has its minimum inside, below both its ends by more than the noise.</summary>
public sealed record InteriorMinimumClaim : StudyClaim
{
    /// <summary>Patterns of the points.</summary>
    public required IReadOnlyList<string> Arms { get; init; }

    /// <summary>The share at which the minimum is published, percent: from.</summary>
    public required double PaperFrom { get; init; }

    /// <summary>To.</summary>
    public required double PaperTo { get; init; }
}

/// <summary>The position of the minimum changes from one setting to another.</summary>
public sealed record MinimumMovesClaim : StudyClaim
{
    /// <summary>Patterns of the points.</summary>
    public required IReadOnlyList<string> Arms { get; init; }

    /// <summary>The settings, in the order in which the minimum is claimed to rise.</summary>
    public required IReadOnlyList<string> Order { get; init; }
}

/// <summary>The measure falls with the logarithm of the size of the memory.</summary>
public sealed record LogLinearClaim : StudyClaim
{
    /// <summary>Patterns of the points.</summary>
    public required IReadOnlyList<string> Arms { get; init; }

    /// <summary>The least share of the variance that the line explains.</summary>
    public double LeastR2 { get; init; } = 0.98;

    /// <summary>The published slope per decade.</summary>
    public required double PaperSlope { get; init; }
}

/// <summary>One arm is the best of several.</summary>
public sealed record BestArmClaim : StudyClaim
{
    /// <summary>Patterns of the arms.</summary>
    public required IReadOnlyList<string> Arms { get; init; }

    /// <summary>The one claimed to have the lowest value.</summary>
    public required string Best { get; init; }
}

/// <summary>A measure of an arm lies above, or below, a level.</summary>
public sealed record LevelClaim : StudyClaim
{
    /// <summary>The arm.</summary>
    public required string Arm { get; init; }

    /// <summary>A second measure that the first is divided by, in percent; null takes the measure as it is.</summary>
    public string? PercentOf { get; init; }

    /// <summary>The least mean of <see cref="PercentOf"/> of which a share says something.</summary>
    public double LeastWhole { get; init; }

    /// <summary>Claimed to be above this.</summary>
    public double? Above { get; init; }

    /// <summary>Claimed to be below this.</summary>
    public double? Below { get; init; }
}

/// <summary>An arm has more, or less, than a share of what one arm gains over another.</summary>
public sealed record ShareClaim : StudyClaim
{
    /// <summary>The arm in question.</summary>
    public required string Arm { get; init; }

    /// <summary>The arm with the whole gain.</summary>
    public required string Whole { get; init; }

    /// <summary>The arm with none of it.</summary>
    public required string None { get; init; }

    /// <summary>Claimed to have more than this, percent.</summary>
    public double? Above { get; init; }

    /// <summary>Claimed to have less than this, percent.</summary>
    public double? Below { get; init; }
}
