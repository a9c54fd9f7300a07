using System.Buffers.Binary;
using Engram.Models.Folders;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Models.Gguf;

/// <summary>
/// Rows of a matrix of <c>model.safetensors</c> as GGUF stores them: the same values and codes in another order, scales as half precision.
/// </summary>
internal sealed unsafe class GgufRows
{
    private readonly SafetensorsFile _file;
    private readonly string _name;
    private readonly RowFormat _format;
    private readonly int _columns;

    public GgufRows(SafetensorsFile file, string name, long rows, int columns)
    {
        (_file, _name, _columns) = (file, name, columns);
        _format = MatrixFormat.Require(file, name, rows, columns);
        // Blocks of 32 do not fit into other rows: those are written as what they stand for.
        Type = _format.Encoding switch
        {
            RowEncoding.BFloat16 => GgufType.BF16,
            RowEncoding.Int8 when columns % GgufTypes.Block == 0 => GgufType.Q8_0,
            RowEncoding.Int4 when columns % GgufTypes.Block == 0 => GgufType.Q4_0,
            _ => GgufType.F32,
        };
    }

    /// <summary>The type that the rows are written in.</summary>
    public GgufType Type { get; }

    /// <summary>Writes rows.</summary>
    public void Write(Stream stream, long from, long count)
    {
        for (var row = from; row < from + count; row++)
            if (Type is GgufType.Q8_0 or GgufType.Q4_0)
                WriteBlocks(stream, row);
            else if (Type == GgufType.BF16)
                stream.Write(_file.Bytes(_name, row * _columns * sizeof(ushort), _columns * sizeof(ushort)));
            else
                WriteSingles(stream, Decode(row));
    }

    /// <summary>What a row stands for.</summary>
    public float[] Decode(long row)
    {
        var values = new float[_columns];
        var scales = _format.HasScales ? _file.Pointer(MatrixFormat.ScaleTensor(_name)) : null;
        fixed (float* target = values)
            new StoredRows(_file.Pointer(_name), scales, _columns, _format).Gather(&row, 1, target);
        return values;
    }

    /// <summary>Writes float32 values.</summary>
    public static void WriteSingles(Stream stream, ReadOnlySpan<float> values) =>
        stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values));

    private void WriteBlocks(Stream stream, long row)
    {
        var valueBytes = _format.ValueBytes(GgufTypes.Block);
        Span<byte> block = stackalloc byte[2 + GgufTypes.Block];
        for (var group = 0; group < _columns / GgufTypes.Block; group++)
        {
            var codes = _file.Bytes(_name, row * _format.ValueBytes(_columns) + group * valueBytes, valueBytes);
            var scale = _file.Bytes(
                MatrixFormat.ScaleTensor(_name),
                (row * _format.Groups(_columns) + group) * sizeof(ushort),
                sizeof(ushort)
            );
            BinaryPrimitives.WriteHalfLittleEndian(block, (Half)BFloat16Codec.ToSingle(BinaryPrimitives.ReadUInt16LittleEndian(scale)));
            if (Type == GgufType.Q8_0)
                codes.CopyTo(block[2..]);
            else
                for (var i = 0; i < GgufTypes.Block / 2; i++)
                    block[2 + i] = (byte)(Half(codes, i) | Half(codes, i + GgufTypes.Block / 2) << 4);
            stream.Write(block[..(2 + valueBytes)]);
        }

        static int Half(ReadOnlySpan<byte> codes, int i) => codes[i / 2] >> i % 2 * 4 & 15;
    }
}
