using System.Runtime.CompilerServices;

namespace Engram.Training.Optimizers;

/// <summary>Range checks of optimizer settings that also refuse NaN and infinity, and name the setting.</summary>
internal static class Require
{
    public static void Fraction(double value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value >= 0 && value < 1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}, but must be at least 0 and below 1.");
    }

    public static void Positive(double value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value > 0 && double.IsFinite(value)))
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}, but must be positive.");
    }

    public static void NotNegative(double value, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (!(value >= 0 && double.IsFinite(value)))
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}, but must not be negative.");
    }
}
