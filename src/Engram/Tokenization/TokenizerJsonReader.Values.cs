using System.Text;
using System.Text.Json;

namespace Engram.Tokenization;

// Single keys and values of the file, and the error that says where one is wrong.
internal ref partial struct TokenizerJsonReader
{
    /// <summary>Advances to the next property of an object that must not repeat a key; null at the end of the object.</summary>
    private string? NextProperty(string path)
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.EndObject)
            return null;
        var key = StringValue("a key");
        return _seen.Add(path + key) ? key : throw Error($"{Excerpt.Of(path + key)} appears twice");
    }

    private string ReadString(string what)
    {
        _json.Read();
        return StringValue(what);
    }

    private string? ReadOptionalString(string what)
    {
        _json.Read();
        return _json.TokenType == JsonTokenType.Null ? null : StringValue(what);
    }

    private bool ReadFlag(string what)
    {
        _json.Read();
        return _json.TokenType is JsonTokenType.True or JsonTokenType.False
            ? _json.GetBoolean()
            : throw Error($"\"{what}\" must be true or false");
    }

    private int ReadId(string what)
    {
        _json.Read();
        return _json.TokenType == JsonTokenType.Number && _json.TryGetInt32(out var id) && id >= 0
            ? id
            : throw Error($"the id of {what} must be an integer from 0 to {int.MaxValue}");
    }

    private JsonElement? ReadElement()
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.Null)
            return null;
        var start = _json;
        var element = JsonElement.ParseValue(ref _json);
        var end = _json;
        // Every string is unescaped once here, so that later readers of the element can rely on it.
        _json = start;
        do
        {
            if (_json.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                Utf8Value("a string", ref _scratch);
        } while (_json.BytesConsumed < end.BytesConsumed && _json.Read());
        _json = end;
        return element;
    }

    private void SkipValue()
    {
        _json.Read();
        _json.Skip();
    }

    private string StringValue(string what) => Encoding.UTF8.GetString(Utf8Value(what, ref _scratch));

    /// <summary>The current string or key, unescaped; a view of the file or of <paramref name="scratch"/>.</summary>
    private readonly ReadOnlySpan<byte> Utf8Value(string what, ref byte[] scratch)
    {
        if (_json.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
            throw Error($"{what} must be a string, not {_json.TokenType}");
        if (!_json.ValueIsEscaped)
            return _json.ValueSpan;
        if (scratch.Length < _json.ValueSpan.Length)
            scratch = new byte[_json.ValueSpan.Length * 2];
        try
        {
            return scratch.AsSpan(0, _json.CopyString(scratch));
        }
        catch (InvalidOperationException e) // an escape that stands for half a surrogate pair
        {
            throw new InvalidDataException($"{_source}: {what} is not valid Unicode, before byte {_json.BytesConsumed}", e);
        }
    }

    private readonly void Require(JsonTokenType type, string what)
    {
        if (_json.TokenType == type)
            return;
        var wanted =
            type == JsonTokenType.StartObject ? "an object"
            : type == JsonTokenType.StartArray ? "an array"
            : "complete";
        throw Error($"{what} must be {wanted}, not {_json.TokenType}");
    }

    private readonly InvalidDataException Error(string message) => new($"{_source}: {message} (before byte {_json.BytesConsumed})");
}
