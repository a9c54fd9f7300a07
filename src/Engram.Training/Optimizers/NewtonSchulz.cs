namespace Engram.Training.Optimizers;

/// <summary>Which odd polynomials X ← aX + b(XXᵀ)X + c(XXᵀ)²X Muon applies to a normalised matrix, and how often.</summary>
/// <param name="First">Polynomial of the first rounds.</param>
/// <param name="Second">Polynomial of the last rounds; a count of 0 omits it.</param>
public sealed record NewtonSchulz(NewtonSchulz.Rounds First, NewtonSchulz.Rounds Second)
{
    /// <summary>A polynomial and the number of times it is applied.</summary>
    /// <param name="Count">Applications.</param>
    /// <param name="A">Coefficient of X.</param>
    /// <param name="B">Coefficient of (XXᵀ)X.</param>
    /// <param name="C">Coefficient of (XXᵀ)²X.</param>
    public readonly record struct Rounds(int Count, double A, double B, double C);

    /// <summary>Five rounds of Jordan's polynomial (Muon, 2024): singular values from 0.01 to 1 end between 0.68 and 1.14.</summary>
    public static NewtonSchulz Jordan { get; } = new(new Rounds(5, 3.4445, -4.7750, 2.0315), default);

    /// <summary>
    /// Eight rounds of Jordan's polynomial and two that converge (DeepSeek-V4): singular values from 1e-4 to 1 end within 0.002 of 1, at
    /// twice the cost.
    /// </summary>
    public static NewtonSchulz Hybrid { get; } = new(Jordan.First with { Count = 8 }, new Rounds(2, 2, -1.5, 0.5));
}
