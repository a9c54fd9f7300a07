using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>Damaged tokenizer files: each loads, or gives one clear error, in time and memory proportional to its size.</summary>
public sealed class TokenizerFuzzTests
{
    // Fixed cost of a tokenizer of any size (its piece cache above all), and what one byte of file may cost.
    private const long FixedBytes = 1_000_000;
    private const long BytesPerByte = 100;

    // a file of some kilobytes takes under a millisecond; the machine may be busy
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    [Fact]
    public void DamagedFiles_LoadOrGiveOneClearError() => Fuzz(seed: 1, count: 3_000);

    /// <summary>Run with <c>-explicit only -class Engram.Tests.Tokenization.TokenizerFuzzTests</c>.</summary>
    [Fact(Explicit = true)]
    public void TenThousandDamagedFiles_LoadOrGiveOneClearError() => Fuzz(seed: 2, count: 10_000);

    /// <summary>The real file, a few bytes changed.</summary>
    [Fact(Explicit = true)]
    public void DamagedDeepSeekFiles_LoadOrGiveOneClearError()
    {
        var file = TestData.Find("deepseek-v3/tokenizer.json");
        Assert.SkipWhen(file is null, "deepseek-v3/tokenizer.json is absent");
        var original = File.ReadAllBytes(file);
        var random = new Random(3);
        for (var i = 0; i < 100; i++)
            Check(DamageBytes(random, original), $"DeepSeek {i}");
    }

    private static void Fuzz(int seed, int count)
    {
        var random = new Random(seed);
        var originals = Originals();
        foreach (var original in originals)
            Tokenizer.Parse(original, "fuzz.json");
        var loaded = 0;
        for (var i = 0; i < count; i++)
        {
            var original = originals[random.Next(originals.Length)];
            var damaged = random.Next(2) == 0 ? DamageBytes(random, original) : DamageStructure(random, original);
            if (Check(damaged, $"seed {seed}, file {i}"))
                loaded++;
        }
        // Damage that never hurts, or always does, would test nothing.
        Assert.InRange(loaded, count / 50, count * 49 / 50);
    }

    /// <returns>Whether the file loaded.</returns>
    private static bool Check(byte[] file, string name)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.StartNew();
        Tokenizer? tokenizer = null;
        try
        {
            tokenizer = Tokenizer.Parse(file, "fuzz.json");
        }
        catch (InvalidDataException e)
        {
            Assert.StartsWith("fuzz.json: ", e.Message);
            Assert.True(e.Message.Length is > 20 and < 600, $"{name}: {e.Message}");
        }
        catch (Exception e)
        {
            Assert.Fail(
                $"{name}: {e.GetType().Name} instead of "
                    + $"InvalidDataException\n{e}\n{Encoding.UTF8.GetString(file.AsSpan(0, Math.Min(file.Length, 4000)))}"
            );
        }
        Assert.True(clock.Elapsed < Longest, $"{name}: {clock.Elapsed}");
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= FixedBytes + (BytesPerByte * file.Length), $"{name}: {allocated} bytes for a file of {file.Length}");
        if (tokenizer is null)
            return false;

        // What loads must work: the only complaint left is text that a normaliser blows up.
        try
        {
            var ids = tokenizer.Encode("The cat's 12345 hats\r\n\n  é 漢字 😀 <s><x y> \uD800 abcabc", addSpecialTokens: true);
            tokenizer.Decode(ids);
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
        }
        catch (InvalidDataException e)
        {
            Assert.Contains("longer than", e.Message);
        }
        var copy = Tokenizer.Parse(tokenizer.ToJson(), "canonical.json");
        Assert.Equal(tokenizer.Fingerprint, copy.Fingerprint);
        return true;
    }

    private static byte[][] Originals()
    {
        var rich = new TinyTokenizer()
            .Merge("a", "b")
            .Merge("ab", "c")
            .Merge("Ġ", "c")
            .Merge("abc", "abc")
            .Added("<s>", special: true)
            .Added("<x y>", normalized: true, singleWord: true, left: true, right: true)
            .With(
                "normalizer",
                TinyTokenizer.Sequence(
                    "normalizers",
                    JsonNode.Parse("""{ "type": "NFKC" }"""),
                    JsonNode.Parse("""{ "type": "Lowercase" }"""),
                    JsonNode.Parse("""{ "type": "Replace", "pattern": { "Regex": "[ \\t]+" }, "content": " " }"""),
                    JsonNode.Parse("""{ "type": "Prepend", "prepend": "_" }"""),
                    JsonNode.Parse("""{ "type": "Strip", "strip_left": true, "strip_right": false }"""),
                    JsonNode.Parse("""{ "type": "StripAccents" }""")
                )
            )
            .With(
                "pre_tokenizer",
                TinyTokenizer.Sequence(
                    "pretokenizers",
                    JsonNode.Parse("""{ "type": "Digits", "individual_digits": true }"""),
                    TinyTokenizer.SplitStage(@"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"),
                    TinyTokenizer.ByteLevel(prefixSpace: true, useRegex: true)
                )
            )
            .With(
                "post_processor",
                JsonNode.Parse(
                    """
                    { "type": "Sequence", "processors": [{ "type": "ByteLevel" }, { "type": "TemplateProcessing",
                      "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
                      "special_tokens": { "<s>": { "id": "<s>", "ids": [260], "tokens": ["<s>"] } } }] }
                    """
                )
            )
            .With(
                "decoder",
                TinyTokenizer.Sequence("decoders", JsonNode.Parse("""{ "type": "ByteLevel" }"""), JsonNode.Parse("""{ "type": "Fuse" }"""))
            );
        var trained = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 300, SpecialTokens = ["<s>"] }).Train([
            "the cat sat on the mat and the hat",
        ]);
        return [rich.Bytes(), new TinyTokenizer().Added("<s>").Bytes(), trained.ToJson()];
    }

    /// <summary>Flips, overwrites, cuts, repeats and moves bytes, without regard for JSON.</summary>
    private static byte[] DamageBytes(Random random, byte[] original)
    {
        var bytes = original.ToList();
        for (var wounds = random.Next(1, 4); wounds > 0 && bytes.Count > 0; wounds--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 1 << random.Next(0, 11)), bytes.Count - at);
            switch (random.Next(8))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes[at] = (byte)"{}[]\",:\\0-9eu \n"[random.Next(15)];
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 5:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 6:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
                default:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(Snippets[random.Next(Snippets.Length)]));
                    break;
            }
        }
        return [.. bytes];
    }

    /// <summary>Stays JSON: replaces, removes, copies or renames one part.</summary>
    private static byte[] DamageStructure(Random random, byte[] original)
    {
        var root = JsonNode.Parse(original)!;
        for (var wounds = random.Next(1, 3); wounds > 0; wounds--)
        {
            // A section first, then a node inside it, or nearly all wounds would hit the vocabulary.
            JsonNode node = root;
            while (random.Next(6) > 0)
            {
                JsonNode?[] children = node switch
                {
                    JsonObject o => [.. o.Select(property => property.Value)],
                    JsonArray a => [.. a],
                    _ => [],
                };
                if (children.Length == 0 || children[random.Next(children.Length)] is not { } child)
                    break;
                node = child;
            }
            var value = random.Next(3) == 0 ? root.DeepClone() : JsonNode.Parse(Values[random.Next(Values.Length)]);
            switch (node.Parent)
            {
                case JsonArray array when random.Next(3) == 0:
                    array.Remove(node);
                    break;
                case JsonArray array when random.Next(2) == 0:
                    array.Add(node.DeepClone());
                    break;
                case JsonObject parent when random.Next(3) == 0:
                    parent.Remove(node.GetPropertyName());
                    break;
                case JsonObject parent when random.Next(4) == 0:
                    parent[Names[random.Next(Names.Length)]] = node.DeepClone();
                    break;
                case null:
                    break;
                default:
                    node.ReplaceWith(value);
                    break;
            }
        }
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static readonly string[] Values =
    [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "256",
        "2147483647",
        "2147483648",
        "1e400",
        "0.5",
        "\"\"",
        "\" \"",
        "\"a b\"",
        "\"Sequence\"",
        "\"ByteLevel\"",
        "\"Unigram\"",
        "\"\\u0000\"",
        "\"😀\"",
        "[]",
        "{}",
        "[[[[[[[[]]]]]]]]",
        "[\"a\", \"b\"]",
        "{ \"type\": \"Digits\" }",
        "{ \"type\": \"NFD\" }",
        "{ \"Regex\": \"(((a|b)|c)|d)+(?!x)\" }",
        "{ \"String\": \"a\" }",
        "{ \"Regex\": \"(a+)+\" }",
        "\"Removed\"",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
    ];

    private static readonly string[] Snippets =
    [
        "\\ud800",
        "\\u0000",
        "\\uFFFD",
        "\"type\":\"Nmt\",",
        "null,",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "\"\":0,",
        "99999999999999999999,",
        "{1,3}",
        "(?",
        "😀",
        "\uFEFF",
    ];

    private static readonly string[] Names =
    [
        "type",
        "id",
        "content",
        "vocab",
        "merges",
        "model",
        "version",
        "normalizer",
        "pre_tokenizer",
        "pattern",
        "behavior",
        "invert",
        "Regex",
        "String",
        "dropout",
        "ignore_merges",
        "",
        "😀",
    ];
}
