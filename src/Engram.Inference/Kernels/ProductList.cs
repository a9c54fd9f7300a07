namespace Engram.Inference.Kernels;

/// <summary>Matrix products that do not wait for each other, cut into parts of their rows that threads may do in any order.</summary>
internal sealed unsafe class ProductList
{
    // What a thread multiplies in about two microseconds: less is done before another one has begun.
    private const long LeastPart = 1 << 15;
    private const int PartsPerThread = 4;
    private const int RowBlock = 8;

    private Product[] _products = new Product[8];
    private int _count;
    private long _work;

    private struct Product
    {
        public Matrix Matrix;
        public nint X;
        public nint Y;
        public int Vectors;
        public int YStride;
    }

    /// <summary>Adds y [N, R] = x [N, K] · wᵀ.</summary>
    public void Add(in Matrix w, float* x, int vectors, float* y) => Add(w, x, vectors, y, w.Rows);

    /// <summary>The same, for results that lie further apart.</summary>
    /// <param name="w">Matrix [R, K].</param>
    /// <param name="x">Packed vectors [N, K].</param>
    /// <param name="vectors">N.</param>
    /// <param name="y">Receives [N, R].</param>
    /// <param name="yStride">Values from one result to the next.</param>
    public void Add(in Matrix w, float* x, int vectors, float* y, int yStride)
    {
        if (_count == _products.Length)
            Array.Resize(ref _products, 2 * _count);
        _products[_count++] = new Product
        {
            Matrix = w,
            X = (nint)x,
            Y = (nint)y,
            Vectors = vectors,
            YStride = yStride,
        };
        _work += Work(w, vectors);
    }

    /// <summary>
    /// Cuts the products for so many threads; returns the number of parts. All are equally large, wherever in a product they begin, so that
    /// no thread waits for the larger part of another.
    /// </summary>
    public int Cut(int threads) =>
        threads == 1 || _work < 2 * LeastPart ? 1 : (int)Math.Min((long)threads * PartsPerThread, _work / LeastPart);

    /// <summary>Does one part of them.</summary>
    /// <param name="part">Its number.</param>
    /// <param name="parts">What <see cref="Cut"/> has returned.</param>
    public void Run(int part, int parts)
    {
        var (from, to) = (_work * part / parts, _work * (part + 1) / parts);
        var done = 0L;
        for (var i = 0; i < _count && done < to; i++)
        {
            ref var product = ref _products[i];
            var work = Work(product.Matrix, product.Vectors);
            if (done + work > from)
            {
                var (first, end) = (RowAt(product, from - done), RowAt(product, to - done));
                if (first < end)
                    Multiply(product, first, end - first);
            }

            done += work;
        }
    }

    /// <summary>The first row that lies behind so much work: that of a block, or the end.</summary>
    private static int RowAt(in Product product, long work)
    {
        var (rows, perRow) = (product.Matrix.Rows, (long)product.Matrix.Columns * product.Vectors);
        return work >= rows * perRow ? rows : (int)(Math.Max(0, work) / perRow / RowBlock * RowBlock);
    }

    /// <summary>Forgets the products.</summary>
    public void Clear() => (_count, _work) = (0, 0);

    private static long Work(in Matrix w, int vectors) => (long)w.Rows * w.Columns * vectors;

    private static void Multiply(in Product product, int row, int rows) =>
        MatrixProduct.Multiply(
            product.Matrix.Slice(row, rows),
            (float*)product.X,
            product.Matrix.Columns,
            product.Vectors,
            (float*)product.Y + row,
            product.YStride
        );
}
