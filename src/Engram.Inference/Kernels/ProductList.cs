namespace Engram.Inference.Kernels;

/// <summary>Matrix products that do not wait for each other, cut into parts of their rows that threads may do in any order.</summary>
internal sealed unsafe class ProductList
{
    // What a thread multiplies in about two microseconds: less is done before another one has begun.
    private const long LeastPart = 1 << 15;
    private const int PartsPerThread = 2;
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
        public int FirstPart;
        public int PartRows;
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

    /// <summary>Cuts the products for so many threads; returns the number of parts.</summary>
    public int Cut(int threads)
    {
        var part = threads == 1 ? long.MaxValue : Math.Max(LeastPart, _work / (threads * PartsPerThread));
        var parts = 0;
        for (var i = 0; i < _count; i++)
        {
            ref var product = ref _products[i];
            var rows = product.Matrix.Rows;
            var blocks = (rows + RowBlock - 1) / RowBlock;
            var wanted = (int)Math.Clamp(Work(product.Matrix, product.Vectors) / part, 1, blocks);
            (product.FirstPart, product.PartRows) = (parts, (blocks + wanted - 1) / wanted * RowBlock);
            parts += (rows + product.PartRows - 1) / product.PartRows;
        }

        return _work < 2 * LeastPart || threads == 1 ? 1 : parts;
    }

    /// <summary>Does one part of them; all of them if they make only one.</summary>
    /// <param name="part">Its number.</param>
    /// <param name="parts">What <see cref="Cut"/> has returned.</param>
    public void Run(int part, int parts)
    {
        if (parts == 1)
        {
            for (var i = 0; i < _count; i++)
                Multiply(_products[i], 0, _products[i].Matrix.Rows);
            return;
        }

        var of = _count - 1;
        while (_products[of].FirstPart > part)
            of--;
        var first = (part - _products[of].FirstPart) * _products[of].PartRows;
        Multiply(_products[of], first, Math.Min(_products[of].PartRows, _products[of].Matrix.Rows - first));
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
