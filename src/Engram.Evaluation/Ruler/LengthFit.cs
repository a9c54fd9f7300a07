namespace Engram.Evaluation.Ruler;

/// <summary>
/// Finds the largest number of units whose text fits: gallops from a guess, then interpolates and halves in turn. Few texts are built.
/// </summary>
internal static class LengthFit
{
    /// <param name="length">Tokens of the text with so many units; grows with them.</param>
    /// <param name="limit">Tokens that fit.</param>
    /// <param name="guess">A number to begin at.</param>
    /// <param name="most">The largest number there is.</param>
    /// <returns>A number that fits while one more does not, and its tokens; −1 units where not even the text without units fits.</returns>
    public static (int Units, int Tokens) Find(Func<int, int> length, int limit, int guess, int most = int.MaxValue)
    {
        // Most tokens known to fit and fewest known not to, with the units that have them.
        var (fits, fitting) = (-1, 0);
        var (fails, failing) = ((long)most + 1, 0);
        var at = Math.Clamp(guess, 0, most);
        for (var (step, halve) = (1L, false); ; step *= 2, halve = !halve)
        {
            var tokens = length(at);
            if (tokens <= limit)
                (fits, fitting) = (at, tokens);
            else
                (fails, failing) = (at, tokens);
            if (fails - fits <= 1)
                return (fits, fitting);
            at = (int)(
                fits < 0 ? Math.Max(0, fails - step)
                : fails > most ? Math.Min(most, fits + step)
                : halve ? fits + (fails - fits) / 2
                // Tokens are nearly proportional to units.
                : Math.Clamp(fits + (limit - fitting) * (fails - fits) / (failing - fitting), fits + 1, fails - 1)
            );
        }
    }
}
