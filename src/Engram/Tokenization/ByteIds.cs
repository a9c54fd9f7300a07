using System.Text;

namespace Engram.Tokenization;

/// <summary>
/// The ids with which byte-pair encoding begins: those of the 256 byte symbols, and what stands for a byte or a character that the
/// vocabulary lacks. Many vocabularies lack the bytes that UTF-8 never uses. Rules of the reference: byte names if the file asks for them,
/// then the unknown token, then nothing.
/// </summary>
internal sealed class ByteIds
{
    private const int Unknown = -1;

    private readonly int[] _ids = new int[256];
    private readonly TokenTable _vocabulary;
    private readonly int _unknownId;
    private readonly bool _fuseUnknown;
    private readonly bool _byteNames;
    private readonly bool _complete = true;

    /// <exception cref="InvalidDataException">A byte is missing, and the unknown token that stands for it too.</exception>
    public ByteIds(TokenizerDefinition definition)
    {
        _vocabulary = definition.Tokens;
        _fuseUnknown = definition.FuseUnknown;
        _byteNames = definition.ByteFallback;
        _unknownId = definition.UnknownToken is { } token ? _vocabulary.FindInModel(Encoding.UTF8.GetBytes(token)) : Unknown;
        Span<byte> symbol = stackalloc byte[2];
        var used = 0;
        for (var value = 0; value < 256; value++)
        {
            _ids[value] = _vocabulary.FindInModel(symbol[..ByteLevelAlphabet.Encode([(byte)value], symbol)]);
            if (_ids[value] < 0)
                _complete = false;
            else
                used++;
        }
        if (used == 0)
            throw new InvalidDataException(
                $"{definition.Source}: not a byte-level vocabulary: it has no token for any byte (\"{ByteLevelAlphabet.Symbol(0)}\" for "
                    + "0x00, … \"a\" for 0x61)."
            );
        if (!_complete && definition.UnknownToken is { } name && _unknownId < 0)
            throw new InvalidDataException(
                $"{definition.Source}: model: the vocabulary lacks bytes, and the unk_token {Excerpt.Of(name)} that stands for them too."
            );
    }

    /// <summary>Writes the ids of bytes.</summary>
    /// <param name="bytes">UTF-8.</param>
    /// <param name="ids">Room for two ids a byte.</param>
    /// <returns>Ids written.</returns>
    public int OfBytes(ReadOnlySpan<byte> bytes, Span<int> ids)
    {
        if (!_complete)
            return OfIncomplete(bytes, ids);
        for (var i = 0; i < bytes.Length; i++)
            ids[i] = _ids[bytes[i]];
        return bytes.Length;
    }

    /// <summary>
    /// Writes the ids of the characters of a piece that is made of byte symbols, where stages have put others among them too.
    /// </summary>
    /// <param name="symbols">UTF-8.</param>
    /// <param name="ids">Room for as many ids as <paramref name="symbols"/> has bytes.</param>
    /// <returns>Ids written.</returns>
    public int OfSymbols(ReadOnlySpan<byte> symbols, Span<int> ids)
    {
        var writer = new Writer(this, ids);
        while (!symbols.IsEmpty)
        {
            Rune.DecodeFromUtf8(symbols, out var rune, out var length);
            var value = ByteLevelAlphabet.Byte(rune.Value);
            writer.Add(value >= 0 ? _ids[value] : _vocabulary.FindInModel(symbols[..length]), symbols[..length]);
            symbols = symbols[length..];
        }
        return writer.End();
    }

    private int OfIncomplete(ReadOnlySpan<byte> bytes, Span<int> ids)
    {
        var writer = new Writer(this, ids);
        Span<byte> symbol = stackalloc byte[2];
        foreach (var value in bytes)
            writer.Add(_ids[value], symbol[..ByteLevelAlphabet.Encode([value], symbol)]);
        return writer.End();
    }

    private ref struct Writer(ByteIds owner, Span<int> ids)
    {
        private readonly Span<int> _written = ids;
        private int _count;
        private bool _unknownWaits;

        public void Add(int id, scoped ReadOnlySpan<byte> symbol)
        {
            if (id >= 0)
            {
                Flush();
                _written[_count++] = id;
            }
            // The unknown token that waits is written behind the names, as in the reference.
            else if (!(owner._byteNames && TryAddNames(symbol)) && owner._unknownId >= 0)
            {
                if (!owner._fuseUnknown)
                    Flush();
                _unknownWaits = true;
            }
        }

        public int End()
        {
            Flush();
            return _count;
        }

        private void Flush()
        {
            if (_unknownWaits)
                _written[_count++] = owner._unknownId;
            _unknownWaits = false;
        }

        private bool TryAddNames(scoped ReadOnlySpan<byte> symbol)
        {
            Span<byte> name = stackalloc byte[6];
            var count = _count;
            foreach (var value in symbol)
            {
                "<0x00>"u8.CopyTo(name);
                value.TryFormat(name[3..5], out _, "X2");
                var id = owner._vocabulary.FindInModel(name);
                if (id < 0)
                    return false;
                _written[count++] = id;
            }
            _count = count;
            return true;
        }
    }
}
