using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Engram.Storage;

namespace Engram.Tokenization;

/// <summary>
/// Byte-level byte-pair encoding as defined by a Hugging Face tokenizer.json: text to token ids and back. Immutable; every member may be
/// called by any number of threads.
/// </summary>
public sealed class Tokenizer
{
    /// <summary>SHA-256 of the published tokenizer.json of DeepSeek-V3 (7,847,652 bytes), lower-case hexadecimal.</summary>
    public const string DeepSeekV3Sha256 = "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41";

    private readonly TokenizerDefinition _definition;
    private readonly TokenTable _tokens;
    private readonly Normalizer? _normalizer;
    private readonly PreTokenizer _preTokenizer;
    private readonly SequenceTemplate _template;
    private readonly BpeModel _model;
    private readonly bool _piecesAreSymbols;
    private readonly AddedTokenMatcher? _rawMatcher;
    private readonly AddedTokenMatcher? _normalizedMatcher;
    private readonly bool[] _special;
    private readonly byte[] _bytes;
    private readonly int[] _byteStarts;
    private readonly Lazy<string> _fingerprint;

    internal Tokenizer(TokenizerDefinition definition, bool useCache = true)
    {
        _definition = definition;
        _tokens = definition.Tokens;
        _normalizer = Normalizer.FromJson(definition.Section("normalizer", definition.Normalizer));
        _preTokenizer = PreTokenizer.FromJson(
            definition.Section("pre_tokenizer", definition.PreTokenizer),
            _normalizer is { MakesSymbols: true },
            definition.ByteFallback
        );
        _piecesAreSymbols = _preTokenizer.MakesSymbols;
        _template = SequenceTemplate.FromJson(definition.Section("post_processor", definition.PostProcessor), _tokens);
        CheckDecoder(definition.Section("decoder", definition.Decoder));
        _model = new BpeModel(definition, _piecesAreSymbols, useCache);

        _rawMatcher = Matcher(definition.AddedTokens.Where(token => !token.Normalized).Select(token => (token.Content, token)));
        _normalizedMatcher = Matcher(
            definition
                .AddedTokens.Where(token => token.Normalized)
                .Select(token => (_normalizer?.Apply(token.Content) ?? token.Content, token))
        );
        _special = new bool[_tokens.IdCount];
        foreach (var token in definition.AddedTokens)
            _special[token.Id] = token.Special;

        (_bytes, _byteStarts) = DecodeVocabulary(_tokens, _special);
        _fingerprint = new Lazy<string>(() => Convert.ToHexStringLower(SHA256.HashData(ToJson())));
    }

    /// <summary>
    /// Number of ids: the largest of the model's vocabulary and the added tokens, and one more. Some vocabularies leave out ids below it;
    /// such an id has no token.
    /// </summary>
    public int VocabularySize => _tokens.IdCount;

    /// <summary>The added tokens, by ascending id.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _definition.AddedTokens;

    /// <summary>
    /// Sections of the file that have no effect here, with what they say: the reference library cuts ("truncation") or fills up ("padding")
    /// what it encodes, this one never does.
    /// </summary>
    public IReadOnlyList<string> IgnoredSections =>
        [
            .. new[] { ("truncation", _definition.Truncation), ("padding", _definition.Padding) }
                .Where(section => section.Item2 is not null)
                .Select(section => $"{section.Item1}: {section.Item2!.Value.GetRawText()}"),
        ];

    /// <summary>
    /// SHA-256, lower-case hexadecimal, of the canonical file that <see cref="Save"/> writes. It does not depend on the formatting of the
    /// file that was loaded, so saving and loading keep it.
    /// </summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>Reads a tokenizer.json.</summary>
    /// <param name="path">The file.</param>
    /// <param name="expectedSha256">
    /// When given, the SHA-256 the file's bytes must have, hexadecimal; see <see cref="DeepSeekV3Sha256"/>.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is damaged, contradicts itself, needs a feature this library lacks, or is not the expected one.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">The file asks for Unicode normalisation, which this process lacks.</exception>
    public static Tokenizer Load(string path, string? expectedSha256 = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: no such tokenizer file.", path);
        var utf8Json = File.ReadAllBytes(path);
        if (expectedSha256 is not null)
        {
            var actual = Convert.ToHexStringLower(SHA256.HashData(utf8Json));
            if (!actual.Equals(expectedSha256, StringComparison.OrdinalIgnoreCase))
                throw new InvalidDataException(
                    $"{path}: SHA-256 is {actual}, expected {expectedSha256}. This is not the expected tokenizer; download it again."
                );
        }
        return Parse(utf8Json, path);
    }

    /// <summary>Reads the content of a tokenizer.json.</summary>
    /// <param name="utf8Json">The content.</param>
    /// <param name="sourceName">What error messages call it.</param>
    /// <inheritdoc cref="Load" path="/exception[position()>1]"/>
    public static Tokenizer Parse(ReadOnlySpan<byte> utf8Json, string sourceName) => new(TokenizerJsonReader.Read(utf8Json, sourceName));

    /// <summary>
    /// Writes a tokenizer.json in canonical form. An existing file is replaced only when the new one is complete on disk.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">The file cannot be written; the old one is untouched.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        AtomicFile.Write(path, stream => TokenizerJsonWriter.Write(_definition, stream));
    }

    /// <summary>Encodes a text.</summary>
    /// <param name="text">Any text; half surrogate pairs are encoded as U+FFFD.</param>
    /// <param name="addSpecialTokens">
    /// Whether the file's post-processor may put its special tokens around the text. DeepSeek-V3 has none there.
    /// </param>
    /// <param name="typedTokens">What the strings of added tokens mean where the text contains them.</param>
    /// <returns>Token ids.</returns>
    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = false, TypedTokens typedTokens = TypedTokens.Recognized)
    {
        var ids = new List<int>(text.Length / 3 + 4);
        Encode(text, ids, addSpecialTokens, typedTokens);
        return [.. ids];
    }

    /// <summary>Encodes a text and appends its ids.</summary>
    /// <param name="text">Any text; half surrogate pairs are encoded as U+FFFD.</param>
    /// <param name="ids">Receives the token ids.</param>
    /// <param name="addSpecialTokens">Whether the file's post-processor may put its special tokens around the text.</param>
    /// <param name="typedTokens">What the strings of added tokens mean where the text contains them.</param>
    public void Encode(
        ReadOnlySpan<char> text,
        List<int> ids,
        bool addSpecialTokens = false,
        TypedTokens typedTokens = TypedTokens.Recognized
    )
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (addSpecialTokens)
            ids.AddRange(_template.Before);
        var sink = new IdSink(_model, ids);
        Walk(text, typedTokens, ref sink);
        if (addSpecialTokens)
            ids.AddRange(_template.After);
    }

    /// <summary>Shows how a text is cut: its pieces with their ids, for inspection.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="typedTokens">What the strings of added tokens mean where the text contains them.</param>
    /// <returns>Pieces in order. All their ids together are those of <see cref="Encode(ReadOnlySpan{char}, bool, TypedTokens)"/>.</returns>
    public IReadOnlyList<TokenPiece> Pieces(ReadOnlySpan<char> text, TypedTokens typedTokens = TypedTokens.Recognized)
    {
        var pieces = new List<TokenPiece>();
        var sink = new PieceListSink(_model, _piecesAreSymbols, pieces);
        Walk(text, typedTokens, ref sink);
        return pieces;
    }

    /// <summary>Decodes ids: the bytes of all tokens in a row, read as UTF-8, with U+FFFD for what is not.</summary>
    /// <param name="ids">Token ids. An id without a token (a model's vocabulary may be padded beyond the tokenizer's) adds nothing.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var length = 0;
        foreach (var id in ids)
            length = checked(length + TokenBytes(id).Length);
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        var written = 0;
        foreach (var id in ids)
        {
            if (skipSpecialTokens && IsSpecial(id))
                continue;
            var bytes = TokenBytes(id);
            bytes.CopyTo(buffer.AsSpan(written));
            written += bytes.Length;
        }
        var text = Encoding.UTF8.GetString(buffer, 0, written);
        ArrayPool<byte>.Shared.Return(buffer);
        return text;
    }

    /// <summary>The bytes a token decodes to, which need not be complete UTF-8; empty for an id without a token.</summary>
    /// <param name="id">Token id.</param>
    public ReadOnlySpan<byte> TokenBytes(int id) =>
        (uint)id < (uint)VocabularySize ? _bytes.AsSpan(_byteStarts[id].._byteStarts[id + 1]) : default;

    /// <summary>The string of a token as the vocabulary writes it (bytes in the printable alphabet: "Ġthe" for " the"), or null.</summary>
    /// <param name="id">Token id.</param>
    public string? IdToToken(int id) => (uint)id < (uint)VocabularySize && _tokens.Has(id) ? Encoding.UTF8.GetString(_tokens[id]) : null;

    /// <summary>The id of a token given as the vocabulary writes it, or null.</summary>
    /// <param name="token">For example "Ġthe" or "&lt;|endoftext|&gt;".</param>
    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        var id = _tokens.Find(Encoding.UTF8.GetBytes(token));
        return id < 0 ? null : id;
    }

    /// <summary>Whether an id is an added token marked special; false for an id without a token.</summary>
    /// <param name="id">Token id.</param>
    public bool IsSpecial(int id) => (uint)id < (uint)VocabularySize && _special[id];

    /// <summary>
    /// Added tokens that are not normalised, then normalisation, then the added tokens that are, then the pieces in between.
    /// </summary>
    private void Walk<TSink>(ReadOnlySpan<char> text, TypedTokens typed, ref TSink sink)
        where TSink : struct, ITokenSink, allows ref struct
    {
        text = LoneSurrogates.Repair(text);
        if (_rawMatcher is null || typed == TypedTokens.AllAsText)
            WalkNormalized(text, typed, ref sink);
        else
            foreach (var span in new AddedTokenSpans(_rawMatcher, text, typed == TypedTokens.SpecialAsText))
                if (span.Token is { } token)
                    sink.Add(token);
                else
                    WalkNormalized(text[span.Start..span.End], typed, ref sink);
    }

    private void WalkNormalized<TSink>(ReadOnlySpan<char> text, TypedTokens typed, ref TSink sink)
        where TSink : struct, ITokenSink, allows ref struct
    {
        if (_normalizer is not null)
            text = _normalizer.Apply(text.ToString());
        if (_normalizedMatcher is null || typed == TypedTokens.AllAsText)
            _preTokenizer.Split(text, ref sink);
        else
            foreach (var span in new AddedTokenSpans(_normalizedMatcher, text, typed == TypedTokens.SpecialAsText))
                if (span.Token is { } token)
                    sink.Add(token);
                else
                    _preTokenizer.Split(text[span.Start..span.End], ref sink);
    }

    private interface ITokenSink : IPieceSink
    {
        void Add(AddedToken token);
    }

    private readonly struct IdSink(BpeModel model, List<int> ids) : ITokenSink
    {
        public void Add(ReadOnlySpan<char> piece) => model.Encode(piece, ids);

        public void Add(AddedToken token) => ids.Add(token.Id);
    }

    private readonly struct PieceListSink(BpeModel model, bool piecesAreSymbols, List<TokenPiece> pieces) : ITokenSink
    {
        public void Add(ReadOnlySpan<char> piece)
        {
            var ids = new List<int>();
            model.Encode(piece, ids);
            pieces.Add(new TokenPiece(piecesAreSymbols ? TextOfSymbols(piece) : piece.ToString(), ids, IsAddedToken: false));
        }

        public void Add(AddedToken token) => pieces.Add(new TokenPiece(token.Content, [token.Id], IsAddedToken: true));
    }

    private static AddedTokenMatcher? Matcher(IEnumerable<(string Text, AddedToken Token)> tokens) =>
        tokens.ToArray() is { Length: > 0 } some ? new AddedTokenMatcher(some) : null;

    /// <summary>What a token reads as a row of byte symbols, for one without a token nothing; the canonical map compares these.</summary>
    internal string TokenAsBytes(int id) => TextOfSymbols(IdToToken(id));

    private static string TextOfSymbols(ReadOnlySpan<char> symbols)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(symbols)];
        Encoding.UTF8.GetBytes(symbols, utf8);
        var bytes = new byte[utf8.Length];
        return Encoding.UTF8.GetString(bytes, 0, ByteLevelAlphabet.Decode(utf8, bytes));
    }

    private static void CheckDecoder(TokenizerComponent json)
    {
        // Without a decoder the reference library would return vocabulary strings; the bytes are decoded here all the same.
        if (json.Json.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined)
            return;
        var parts = json.Type == "Sequence" ? json.Children("decoders").ToArray() : [json];
        foreach (var part in parts)
            if (part.Type is not ("ByteLevel" or "Fuse"))
                throw part.UnknownType("ByteLevel, Fuse, Sequence");
        if (parts.Length == 0 || parts[0].Type != "ByteLevel")
            throw json.Error("the decoder must begin with ByteLevel");
    }

    private static (byte[] Bytes, int[] Starts) DecodeVocabulary(TokenTable tokens, bool[] special)
    {
        var total = 0;
        for (var id = 0; id < tokens.IdCount; id++)
            total += tokens[id].Length;
        var bytes = new byte[total]; // decoding never lengthens
        var starts = new int[tokens.IdCount + 1];
        for (var id = 0; id < tokens.IdCount; id++)
        {
            // Added tokens were found in the text as they are written; bytes come from the model alone.
            var isText = special[id] || !tokens.IsInModel(id);
            if (isText)
                tokens[id].CopyTo(bytes.AsSpan(starts[id]));
            starts[id + 1] = starts[id] + (isText ? tokens[id].Length : ByteLevelAlphabet.Decode(tokens[id], bytes.AsSpan(starts[id])));
        }
        return (bytes, starts);
    }

    /// <summary>What <see cref="Save"/> writes.</summary>
    internal byte[] ToJson()
    {
        using var canonical = new MemoryStream();
        TokenizerJsonWriter.Write(_definition, canonical);
        return canonical.ToArray();
    }
}
