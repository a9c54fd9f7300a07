namespace Engram.Tokenization;

/// <summary>
/// The printable stand-in of every byte in a byte-level vocabulary file: bytes 33–126, 161–172 and 174–255 stand for themselves, the other
/// 68 follow in ascending order from U+0100 (space is U+0120 "Ġ", line feed U+010A "Ċ"). Introduced by GPT-2.
/// </summary>
internal static class ByteLevelAlphabet
{
    private const int FirstStandIn = 0x100;
    private const int CharCount = FirstStandIn + 68;

    private static readonly char[] ByteToChar = new char[256];
    private static readonly short[] CharToByte = new short[CharCount];

    static ByteLevelAlphabet()
    {
        Array.Fill(CharToByte, (short)-1);
        var next = FirstStandIn;
        for (var value = 0; value < 256; value++)
        {
            var printable = value is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255);
            var symbol = printable ? value : next++;
            ByteToChar[value] = (char)symbol;
            CharToByte[symbol] = (short)value;
        }
    }

    /// <summary>The character that stands for a byte.</summary>
    public static char Symbol(byte value) => ByteToChar[value];

    /// <summary>The byte a character stands for, or -1.</summary>
    public static int Byte(int scalar) => (uint)scalar < CharCount ? CharToByte[scalar] : -1;

    /// <summary>
    /// Writes the bytes a vocabulary string stands for. A string with any character outside the alphabet (most special tokens) stands for
    /// its own UTF-8 bytes.
    /// </summary>
    /// <param name="token">Vocabulary string, valid UTF-8.</param>
    /// <param name="destination">At least as long as <paramref name="token"/>.</param>
    /// <returns>Bytes written.</returns>
    public static int Decode(ReadOnlySpan<byte> token, Span<byte> destination)
    {
        var written = 0;
        for (var i = 0; i < token.Length; )
        {
            // Every character of the alphabet lies below U+0800, so it has one or two UTF-8 bytes.
            int scalar;
            if (token[i] < 0x80)
                scalar = token[i++];
            else if ((token[i] & 0xE0) == 0xC0)
            {
                scalar = ((token[i] & 0x1F) << 6) | (token[i + 1] & 0x3F);
                i += 2;
            }
            else
                scalar = -1;

            var value = Byte(scalar);
            if (value < 0)
            {
                token.CopyTo(destination);
                return token.Length;
            }
            destination[written++] = (byte)value;
        }
        return written;
    }

    /// <summary>Writes bytes in the alphabet, as UTF-8.</summary>
    /// <param name="bytes">Any bytes.</param>
    /// <param name="destination">At least twice as long as <paramref name="bytes"/>.</param>
    /// <returns>Bytes written.</returns>
    public static int Encode(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        var written = 0;
        foreach (var value in bytes)
        {
            var symbol = ByteToChar[value];
            if (symbol < 0x80)
                destination[written++] = (byte)symbol;
            else
            {
                destination[written++] = (byte)(0xC0 | (symbol >> 6));
                destination[written++] = (byte)(0x80 | (symbol & 0x3F));
            }
        }
        return written;
    }
}
