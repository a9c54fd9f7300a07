namespace Engram.Tables.Formats;

/// <summary>
/// Turns one row from its stored form into float32 and back. A type of its own per encoding, so that the gather's loop is compiled for each
/// without a call through a table.
/// </summary>
internal unsafe interface IRowCodec
{
    /// <summary>Rows that memory is asked for at once, 1 to 64.</summary>
    static abstract int Burst { get; }

    /// <summary>Decodes a row, with the widest vectors the processor has.</summary>
    /// <param name="values">Value bytes of the row.</param>
    /// <param name="scales">Scale bytes of the row; not read by encodings without scales.</param>
    /// <param name="width">Width w in values.</param>
    /// <param name="groupSize">Values per scale.</param>
    /// <param name="destination">Receives w values.</param>
    static abstract void Decode(byte* values, byte* scales, int width, int groupSize, float* destination);

    /// <summary>Decodes a row value by value, to the same bits as <see cref="Decode"/>.</summary>
    static abstract void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination);

    /// <summary>Encodes a row of finite values, rounding to nearest, ties to even. What is decoded from it is finite.</summary>
    static abstract void Encode(float* source, int width, int groupSize, byte* values, byte* scales);
}
