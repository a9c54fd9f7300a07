using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Engram.Tokenization;

/// <summary>
/// Reads a Hugging Face tokenizer.json in one forward pass, without trusting it: nesting is limited, ids are checked before anything is
/// sized by them, and memory stays proportional to the file.
/// </summary>
internal ref partial struct TokenizerJsonReader
{
    private const int MaxDepth = 64;

    // Git stores these lines in the place of a large file.
    private static ReadOnlySpan<byte> LfsPointer => "version https://git-lfs.github.com/spec/"u8;

    private readonly string _source;
    private readonly TokenTable _tokens = new();
    private readonly Dictionary<string, AddedToken> _addedTokens = new(StringComparer.Ordinal);
    private readonly List<Merge> _merges = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private Utf8JsonReader _json;
    private byte[] _scratch = new byte[256];
    private byte[] _concatenation = new byte[256];
    private bool _hasVocabulary;

    private TokenizerJsonReader(ReadOnlySpan<byte> utf8Json, string source)
    {
        _source = source;
        _json = new Utf8JsonReader(utf8Json, new JsonReaderOptions { MaxDepth = MaxDepth });
    }

    /// <param name="utf8Json">The file's content.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <exception cref="InvalidDataException">Anything is wrong with it.</exception>
    public static TokenizerDefinition Read(ReadOnlySpan<byte> utf8Json, string source)
    {
        if (utf8Json.StartsWith(LfsPointer))
            throw new InvalidDataException(
                $"{source}: is a git-lfs pointer, not the file it stands for. Fetch the file with \"git lfs pull\", or download it from "
                    + "the page of the repository."
            );
        if (!Utf8.IsValid(utf8Json))
            throw new InvalidDataException($"{source}: not valid UTF-8");
        try
        {
            return new TokenizerJsonReader(utf8Json, source).Read();
        }
        catch (JsonException e)
        {
            // The framework's message may quote the whole rest of the file.
            throw new InvalidDataException(
                $"{source}: not valid JSON in line {e.LineNumber + 1}, byte {e.BytePositionInLine}: {Excerpt.Of(e.Message)}",
                e
            );
        }
    }

    private TokenizerDefinition Read()
    {
        var definition = new TokenizerDefinition
        {
            Source = _source,
            Tokens = _tokens,
            Merges = [],
            AddedTokens = [],
        };
        List<AddedToken> addedTokens = [];
        _json.Read();
        Require(JsonTokenType.StartObject, "the file");
        while (NextProperty("") is { } key)
        {
            switch (key)
            {
                case "version":
                    var version = ReadString(key);
                    if (version != "1.0")
                        throw Error($"version {Excerpt.Of(version)} is not supported; 1.0 is");
                    break;
                case "added_tokens":
                    ReadAddedTokens(addedTokens);
                    break;
                case "model":
                    definition = ReadModel(definition);
                    break;
                case "truncation":
                    definition = definition with { Truncation = ReadElement() };
                    break;
                case "padding":
                    definition = definition with { Padding = ReadElement() };
                    break;
                case "normalizer":
                    definition = definition with { Normalizer = ReadElement() };
                    break;
                case "pre_tokenizer":
                    definition = definition with { PreTokenizer = ReadElement() };
                    break;
                case "post_processor":
                    definition = definition with { PostProcessor = ReadElement() };
                    break;
                case "decoder":
                    definition = definition with { Decoder = ReadElement() };
                    break;
                default:
                    SkipValue();
                    break;
            }
        }
        _json.Read(); // throws when anything follows
        if (!_hasVocabulary)
            throw Error("\"model\" is missing");

        _tokens.EndModel();
        foreach (var token in addedTokens)
            AddToken(token);
        if (_tokens.IndexIds() is { } fault)
            throw Error(fault);
        addedTokens.Sort((a, b) => a.Id.CompareTo(b.Id));
        return definition with { Merges = [.. _merges], AddedTokens = [.. addedTokens] };
    }

    private readonly void AddToken(AddedToken token)
    {
        if (!_addedTokens.TryAdd(token.Content, token))
            throw Error($"added token {Excerpt.Of(token.Content)} is listed twice");
        if (!_tokens.TryAdd(Encoding.UTF8.GetBytes(token.Content), token.Id, out var existing) && existing != token.Id)
            throw Error($"added token {Excerpt.Of(token.Content)} has id {token.Id}, but the vocabulary gives it id {existing}");
    }

    private void ReadAddedTokens(List<AddedToken> tokens)
    {
        _json.Read();
        Require(JsonTokenType.StartArray, "added_tokens");
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            Require(JsonTokenType.StartObject, "an added token");
            string? content = null;
            int? id = null;
            bool special = false,
                normalized = false,
                singleWord = false,
                left = false,
                right = false;
            while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
            {
                switch (StringValue("the key of an added token"))
                {
                    case "id":
                        id = ReadId("an added token");
                        break;
                    case "content":
                        content = ReadString("content");
                        break;
                    case "special":
                        special = ReadFlag("special");
                        break;
                    case "normalized":
                        normalized = ReadFlag("normalized");
                        break;
                    case "single_word":
                        singleWord = ReadFlag("single_word");
                        break;
                    case "lstrip":
                        left = ReadFlag("lstrip");
                        break;
                    case "rstrip":
                        right = ReadFlag("rstrip");
                        break;
                    default:
                        SkipValue();
                        break;
                }
            }
            if (string.IsNullOrEmpty(content))
                throw Error($"the added token with id {id?.ToString() ?? "?"} has no content");
            tokens.Add(
                new AddedToken(
                    id ?? throw Error($"added token {Excerpt.Of(content)} has no id"),
                    content,
                    special,
                    normalized,
                    singleWord,
                    left,
                    right
                )
            );
        }
    }

    private TokenizerDefinition ReadModel(TokenizerDefinition definition)
    {
        _json.Read();
        Require(JsonTokenType.StartObject, "model");
        var mergesBeforeVocabulary = default(Utf8JsonReader);
        var mergesWait = false;
        while (NextProperty("model.") is { } key)
        {
            switch (key)
            {
                case "type":
                    var type = ReadString("model type");
                    if (type != "BPE")
                        throw Error(
                            $"model: type {Excerpt.Of(type)} is not a byte-level "
                                + $"vocabulary{(type == "Unigram" ? " but one of SentencePiece" : "")}. Supported: BPE over bytes."
                        );
                    break;
                case "dropout":
                    _json.Read();
                    if (
                        _json.TokenType != JsonTokenType.Null
                        && !(_json.TokenType == JsonTokenType.Number && _json.TryGetDouble(out var dropout) && dropout == 0)
                    )
                        throw Error("model: dropout is not supported");
                    break;
                case "unk_token":
                    definition = definition with { UnknownToken = ReadOptionalString(key) };
                    break;
                case "continuing_subword_prefix" or "end_of_word_suffix":
                    if (!string.IsNullOrEmpty(ReadOptionalString(key)))
                        throw Error($"model: {key} is not supported in a byte-level vocabulary");
                    break;
                case "fuse_unk":
                    definition = definition with { FuseUnknown = ReadFlag(key) };
                    break;
                case "byte_fallback":
                    definition = definition with { ByteFallback = ReadFlag(key) };
                    break;
                case "ignore_merges":
                    definition = definition with { IgnoreMerges = ReadFlag(key) };
                    break;
                case "vocab":
                    ReadVocabulary();
                    break;
                case "merges" when !_hasVocabulary:
                    mergesBeforeVocabulary = _json;
                    mergesWait = true;
                    SkipValue();
                    break;
                case "merges":
                    ReadMerges();
                    break;
                default:
                    SkipValue();
                    break;
            }
        }
        if (!_hasVocabulary)
            throw Error("model: \"vocab\" is missing");
        if (mergesWait)
        {
            var here = _json;
            _json = mergesBeforeVocabulary;
            ReadMerges();
            _json = here;
        }
        else if (!_seen.Contains("model.merges"))
            throw Error("model: \"merges\" is missing");
        return definition;
    }

    private void ReadVocabulary()
    {
        _json.Read();
        Require(JsonTokenType.StartObject, "model: vocab");
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            var token = Utf8Value("a token of the vocabulary", ref _scratch);
            var id = ReadId("a token of the vocabulary");
            if (!_tokens.TryAdd(token, id, out var existing))
                throw Error($"token {Excerpt.Of(token)} is in the vocabulary twice, with ids {existing} and {id}");
        }
        _hasVocabulary = true;
    }

    private void ReadMerges()
    {
        _json.Read();
        Require(JsonTokenType.StartArray, "model: merges");
        var leftScratch = new byte[256];
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType == JsonTokenType.StartArray)
            {
                _json.Read();
                var left = Utf8Value("the left part of a merge", ref leftScratch);
                _json.Read();
                var right = Utf8Value("the right part of a merge", ref _scratch);
                _json.Read();
                Require(JsonTokenType.EndArray, "a merge of two parts");
                AddMerge(left, right);
            }
            else
            {
                var pair = Utf8Value("a merge", ref _scratch);
                var space = pair.IndexOf((byte)' ');
                if (space < 0)
                    throw Error($"merge {_merges.Count} {Excerpt.Of(pair)} has no space between two parts");
                AddMerge(pair[..space], pair[(space + 1)..]);
            }
        }
    }

    private void AddMerge(scoped ReadOnlySpan<byte> left, scoped ReadOnlySpan<byte> right)
    {
        if (left.Contains((byte)' ') || right.Contains((byte)' '))
            throw Error($"a part of merge {_merges.Count} contains a space");
        if (left.Length + right.Length > _concatenation.Length)
            _concatenation = new byte[(left.Length + right.Length) * 2];
        left.CopyTo(_concatenation);
        right.CopyTo(_concatenation.AsSpan(left.Length));
        _merges.Add(new Merge(IdOf(left), IdOf(right), IdOf(_concatenation.AsSpan(0, left.Length + right.Length))));
    }

    private readonly int IdOf(scoped ReadOnlySpan<byte> token)
    {
        var id = _tokens.Find(token);
        return id >= 0 ? id : throw Error($"merge {_merges.Count} names {Excerpt.Of(token)}, which is not in the vocabulary");
    }
}
