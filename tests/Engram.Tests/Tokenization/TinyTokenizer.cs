using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>A tokenizer.json with the 256 bytes as ids 0–255 in byte order, and what a test adds to it.</summary>
internal sealed class TinyTokenizer
{
    private readonly JsonObject _vocabulary = [];
    private readonly JsonArray _merges = [];
    private readonly JsonArray _addedTokens = [];

    public TinyTokenizer()
    {
        for (var value = 0; value < 256; value++)
            _vocabulary.Add(ByteLevelAlphabet.Symbol((byte)value).ToString(), value);
        Json = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = _addedTokens,
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = null,
            ["decoder"] = JsonNode.Parse("""{ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["vocab"] = _vocabulary,
                ["merges"] = _merges,
            },
        };
    }

    /// <summary>The whole file, for tests that damage it.</summary>
    public JsonObject Json { get; }

    public JsonObject Model => Json["model"]!.AsObject();

    /// <summary>The next free id.</summary>
    public int NextId { get; private set; } = 256;

    /// <summary>One ByteLevel stage: whole texts are pieces unless <paramref name="useRegex"/>.</summary>
    public static JsonObject ByteLevel(bool prefixSpace = false, bool useRegex = false) =>
        new()
        {
            ["type"] = "ByteLevel",
            ["add_prefix_space"] = prefixSpace,
            ["trim_offsets"] = true,
            ["use_regex"] = useRegex,
        };

    public static JsonObject SplitStage(string regex) =>
        new()
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = regex },
            ["behavior"] = "Isolated",
            ["invert"] = false,
        };

    public static JsonObject Sequence(string listName, params JsonNode?[] parts) =>
        new() { ["type"] = "Sequence", [listName] = new JsonArray(parts) };

    /// <summary>Adds a merge and, if it is new, its result.</summary>
    public TinyTokenizer Merge(string left, string right)
    {
        _merges.Add($"{left} {right}");
        if (!_vocabulary.ContainsKey(left + right))
            _vocabulary.Add(left + right, NextId++);
        return this;
    }

    public TinyTokenizer Added(
        string content,
        bool special = false,
        bool normalized = false,
        bool singleWord = false,
        bool left = false,
        bool right = false,
        int? id = null
    )
    {
        _addedTokens.Add(
            new JsonObject
            {
                ["id"] = id ?? NextId++,
                ["content"] = content,
                ["single_word"] = singleWord,
                ["lstrip"] = left,
                ["rstrip"] = right,
                ["normalized"] = normalized,
                ["special"] = special,
            }
        );
        return this;
    }

    /// <summary>Sets a section such as "normalizer".</summary>
    public TinyTokenizer With(string section, JsonNode? value)
    {
        Json[section] = value;
        return this;
    }

    public byte[] Bytes() => Encoding.UTF8.GetBytes(Json.ToJsonString(new JsonSerializerOptions { Encoder = MinimalJsonEncoder.Instance }));

    public Tokenizer Build() => Tokenizer.Parse(Bytes(), "tiny.json");

    public InvalidDataException Refused() => Assert.Throws<InvalidDataException>(Build);
}
