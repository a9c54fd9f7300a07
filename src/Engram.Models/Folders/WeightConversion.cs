using System.Numerics.Tensors;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Models.Folders;

/// <summary>
/// Rewrites the dense weights of a model folder in another format. Tables stay as they are (<c>TableConversion</c> changes those).
/// </summary>
public static unsafe class WeightConversion
{
    /// <summary>Writes a copy of a model folder whose matrices have another format. It appears complete or not at all.</summary>
    /// <param name="folder">A model folder.</param>
    /// <param name="format">One of <see cref="MatrixFormat.Names"/>.</param>
    /// <param name="target">The new folder, which does not exist; its parent does.</param>
    /// <param name="cancellation">Ends the conversion; nothing is left behind.</param>
    /// <returns>Bytes of all dense weights before and after.</returns>
    /// <exception cref="ArgumentException">There is no such format.</exception>
    /// <exception cref="FileNotFoundException">A file of the model is missing.</exception>
    /// <exception cref="InvalidDataException">
    /// The weights are damaged, hold a value that is not finite, or are coded in 8 or 4 bits already.
    /// </exception>
    /// <exception cref="IOException">The target cannot be written, or exists.</exception>
    public static (long Before, long After) Convert(string folder, string format, string target, CancellationToken cancellation = default)
    {
        if (Directory.Exists(target) || File.Exists(target))
            throw new IOException($"{target} exists; give a new folder.");
        var source = ModelFolder.Open(folder);
        using var weights = SafetensorsFile.Open(source.Weights);
        if (weights.Tensors.Values.FirstOrDefault(tensor => tensor.DType is DType.I8 or DType.U8) is { } coded)
            throw new InvalidDataException(
                $"{weights.Path}: tensor '{coded.Name}' is {coded.DType} already, which has lost what another format could keep; "
                    + "convert the model that it was made from."
            );
        var after = 0L;
        FolderReplacement.Replace(
            target,
            temporary =>
            {
                foreach (
                    var file in Directory
                        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                        .Select(file => Path.GetRelativePath(folder, file))
                )
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (file == ModelFolder.WeightsFile)
                        continue;
                    Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(temporary, file))!);
                    File.Copy(Path.Combine(folder, file), Path.Combine(temporary, file));
                }

                var written = Path.Combine(temporary, ModelFolder.WeightsFile);
                Write(weights, format, written, cancellation);
                after = new FileInfo(written).Length;
            }
        );
        return (new FileInfo(source.Weights).Length, after);
    }

    private static void Write(SafetensorsFile weights, string format, string path, CancellationToken cancellation)
    {
        var writer = new SafetensorsWriter();
        foreach (var (key, value) in weights.Metadata)
            writer.Metadata[key] = value;
        foreach (var tensor in weights.Tensors.Values)
        {
            var coded = tensor.Shape.Length == 2 && MatrixFormat.IsCoded(tensor.Name);
            var (rows, columns) = coded ? (tensor.Shape[0], (int)tensor.Shape[1]) : (1, (int)tensor.ElementCount);
            var to = MatrixFormat.Of(tensor.Name, columns, coded ? format : "float32");
            long[] shape = coded ? [rows, to.ValueColumns(columns)] : tensor.Shape;
            writer.Add(
                tensor.Name,
                to.ValueType,
                stream => Encode(weights, tensor, rows, columns, to, stream, scales: false, cancellation),
                shape
            );
            if (to.HasScales)
                writer.Add(
                    MatrixFormat.ScaleTensor(tensor.Name),
                    to.ScaleType,
                    stream => Encode(weights, tensor, rows, columns, to, stream, scales: true, cancellation),
                    rows,
                    to.Groups(columns)
                );
        }

        writer.Write(path);
    }

    private static void Encode(
        SafetensorsFile weights,
        TensorInfo tensor,
        long rows,
        int columns,
        RowFormat format,
        Stream stream,
        bool scales,
        CancellationToken cancellation
    )
    {
        var from =
            tensor.DType == DType.BF16 ? RowFormat.BFloat16
            : tensor.DType == DType.F32 ? RowFormat.Float32
            : throw new InvalidDataException($"{weights.Path}: tensor '{tensor.Name}' is {tensor.DType}; F32 or BF16 is needed.");
        var source = new StoredRows(weights.Pointer(tensor.Name), null, columns, from);
        var values = new float[columns];
        byte[] valueBytes = new byte[format.ValueBytes(columns)],
            scaleBytes = new byte[Math.Max(1, format.ScaleBytes(columns))];
        fixed (float* v = values)
        fixed (
            byte* b = valueBytes,
                s = scaleBytes
        )
            for (var row = 0L; row < rows; row++)
            {
                cancellation.ThrowIfCancellationRequested();
                source.Gather(&row, 1, v);
                if (!TensorPrimitives.IsFiniteAll<float>(values))
                    throw new InvalidDataException($"{weights.Path}: tensor '{tensor.Name}' holds a value that is not finite.");
                new StoredRows(b, s, columns, format).Encode(0, 1, v);
                stream.Write(scales ? scaleBytes : valueBytes);
            }
    }
}
