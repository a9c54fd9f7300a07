namespace Engram.Studies.Statistics;

/// <summary>
/// A least-squares polynomial y = c₀ + c₁ (x − x̄) + c₂ (x − x̄)² + …. Centred, so that a narrow range far from 0 loses no digits. How
/// certain it is, the fits of several seeds say: points of one seed do not scatter independently around a curve that is only roughly a
/// polynomial.
/// </summary>
public sealed class PolynomialFit
{
    private readonly double[] _coefficients;

    private PolynomialFit(double center, double[] coefficients, double r2) => (Center, _coefficients, R2) = (center, coefficients, r2);

    /// <summary>x̄, the mean of the positions.</summary>
    public double Center { get; }

    /// <summary>Coefficients of the powers of x − x̄, lowest first.</summary>
    public IReadOnlyList<double> Coefficients => _coefficients;

    /// <summary>Share of the variance that the polynomial explains, at most 1; 1 where there is no variance.</summary>
    public double R2 { get; }

    /// <summary>Fits a polynomial.</summary>
    /// <param name="x">Positions, at least degree + 1 different ones.</param>
    /// <param name="y">Values at the positions.</param>
    /// <param name="degree">1 for a line, 2 for a parabola.</param>
    /// <exception cref="ArgumentException">The lengths differ, or there are too few different positions.</exception>
    public static PolynomialFit Of(IReadOnlyList<double> x, IReadOnlyList<double> y, int degree)
    {
        if (x.Count != y.Count)
            throw new ArgumentException($"There are {x.Count} positions and {y.Count} values.", nameof(y));
        if (x.Distinct().Count() <= degree)
            throw new ArgumentException(
                $"A polynomial of degree {degree} needs {degree + 1} different positions; there are {x.Distinct().Count()}.",
                nameof(x)
            );
        var (center, terms) = (x.Average(), degree + 1);
        // Scaled to ±1 for the normal equations, whose condition is the square of the matrix's.
        var scale = x.Max(value => Math.Abs(value - center));
        double[] Powers(double at) => [.. Enumerable.Range(0, terms).Select(power => Math.Pow((at - center) / scale, power))];
        var rows = x.Select(Powers).ToArray();
        var normal = new double[terms, terms];
        var right = new double[terms];
        for (var point = 0; point < rows.Length; point++)
        for (var i = 0; i < terms; i++)
        {
            right[i] += rows[point][i] * y[point];
            for (var j = 0; j < terms; j++)
                normal[i, j] += rows[point][i] * rows[point][j];
        }
        var inverse = Inverse(normal);
        double[] scaled = [.. Enumerable.Range(0, terms).Select(i => Enumerable.Range(0, terms).Sum(j => inverse[i, j] * right[j]))];
        var residual = rows.Zip(y).Sum(point => Square(point.Second - point.First.Zip(scaled).Sum(term => term.First * term.Second)));
        var mean = y.Average();
        var variance = y.Sum(value => Square(value - mean));
        return new PolynomialFit(
            center,
            [.. scaled.Select((value, power) => value / Math.Pow(scale, power))],
            variance > 0 ? 1 - (residual / variance) : 1
        );
    }

    /// <summary>The value at a position.</summary>
    public double At(double x) => _coefficients.Select((coefficient, power) => coefficient * Math.Pow(x - Center, power)).Sum();

    /// <summary>Where a parabola has its minimum; null where it has none.</summary>
    /// <exception cref="InvalidOperationException">It is no parabola.</exception>
    public double? Minimum()
    {
        if (_coefficients.Length != 3)
            throw new InvalidOperationException("Only a parabola has one minimum.");
        var (b, c) = (_coefficients[1], _coefficients[2]);
        return c > 0 ? Center - (b / (2 * c)) : null;
    }

    private static double Square(double value) => value * value;

    /// <summary>Gauss-Jordan with the largest pivot; the matrix is small and positive definite.</summary>
    private static double[,] Inverse(double[,] matrix)
    {
        var n = matrix.GetLength(0);
        var (left, right) = ((double[,])matrix.Clone(), new double[n, n]);
        for (var i = 0; i < n; i++)
            right[i, i] = 1;
        for (var column = 0; column < n; column++)
        {
            var pivot = Enumerable.Range(column, n - column).MaxBy(row => Math.Abs(left[row, column]));
            for (var j = 0; j < n; j++)
            {
                (left[column, j], left[pivot, j]) = (left[pivot, j], left[column, j]);
                (right[column, j], right[pivot, j]) = (right[pivot, j], right[column, j]);
            }
            var divisor = left[column, column];
            for (var j = 0; j < n; j++)
                (left[column, j], right[column, j]) = (left[column, j] / divisor, right[column, j] / divisor);
            for (var row = 0; row < n; row++)
            {
                var factor = left[row, column];
                for (var j = 0; row != column && j < n; j++)
                    (left[row, j], right[row, j]) = (
                        left[row, j] - (factor * left[column, j]),
                        right[row, j] - (factor * right[column, j])
                    );
            }
        }
        return right;
    }
}
