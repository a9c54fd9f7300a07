namespace Engram.Evaluation.Metrics;

/// <summary>The one-to-one assignment of rows to columns with the largest sum (Hungarian method with potentials, O(n³)).</summary>
internal static class Assignment
{
    /// <summary>For each row its column; −1 for rows that get none because there are more rows than columns.</summary>
    /// <param name="gains">[rows, columns], finite.</param>
    public static int[] Best(double[,] gains)
    {
        var (rows, columns) = (gains.GetLength(0), gains.GetLength(1));
        if (rows > columns)
            return Invert(Best(Transpose(gains)), rows);

        // Row and column 0 are sentinels. Each round grows one augmenting path by Dijkstra's rule over the reduced costs.
        var (rowPotential, columnPotential) = (new double[rows + 1], new double[columns + 1]);
        var (rowOf, previous) = (new int[columns + 1], new int[columns + 1]);
        for (var row = 1; row <= rows; row++)
        {
            rowOf[0] = row;
            var (column, distance, used) = (0, new double[columns + 1], new bool[columns + 1]);
            Array.Fill(distance, double.PositiveInfinity);
            do
            {
                used[column] = true;
                var (current, step, next) = (rowOf[column], double.PositiveInfinity, 0);
                for (var j = 1; j <= columns; j++)
                {
                    if (used[j])
                        continue;
                    var reduced = -gains[current - 1, j - 1] - rowPotential[current] - columnPotential[j];
                    if (reduced < distance[j])
                        (distance[j], previous[j]) = (reduced, column);
                    if (distance[j] < step)
                        (step, next) = (distance[j], j);
                }
                for (var j = 0; j <= columns; j++)
                {
                    if (used[j])
                        (rowPotential[rowOf[j]], columnPotential[j]) = (rowPotential[rowOf[j]] + step, columnPotential[j] - step);
                    else
                        distance[j] -= step;
                }
                column = next;
            } while (rowOf[column] != 0);
            for (; column != 0; column = previous[column])
                rowOf[column] = rowOf[previous[column]];
        }

        var columnOf = new int[rows];
        for (var j = 1; j <= columns; j++)
            if (rowOf[j] > 0)
                columnOf[rowOf[j] - 1] = j - 1;
        return columnOf;
    }

    private static double[,] Transpose(double[,] gains)
    {
        var turned = new double[gains.GetLength(1), gains.GetLength(0)];
        for (var i = 0; i < turned.GetLength(0); i++)
        for (var j = 0; j < turned.GetLength(1); j++)
            turned[i, j] = gains[j, i];
        return turned;
    }

    private static int[] Invert(int[] rowOfColumn, int rows)
    {
        var columnOf = new int[rows];
        Array.Fill(columnOf, -1);
        for (var column = 0; column < rowOfColumn.Length; column++)
            columnOf[rowOfColumn[column]] = column;
        return columnOf;
    }
}
