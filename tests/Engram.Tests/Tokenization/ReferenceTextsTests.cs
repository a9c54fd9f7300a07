using System.Text.Json;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>
/// Whole tokenizers of others against the reference library, on random texts that bench/rivals/tokenizer_texts.js makes and says how to
/// compare.
/// </summary>
public sealed class ReferenceTextsTests
{
    [Fact]
    public void Texts_GiveTheReferencesIds()
    {
        var (path, texts) = (Environment.GetEnvironmentVariable("ENGRAM_TOKENIZER"), Environment.GetEnvironmentVariable("ENGRAM_TEXTS"));
        if (path is null || texts is null)
        {
            Assert.Skip("ENGRAM_TOKENIZER and ENGRAM_TEXTS name no files; see bench/rivals/tokenizer_texts.js.");
            return;
        }
        var tokenizer = Tokenizer.Load(path);
        var compared = 0;
        foreach (var line in File.ReadLines(texts))
        {
            using var entry = JsonDocument.Parse(line);
            var text = entry.RootElement[0].GetString()!;
            var ids = tokenizer.Encode(text);
            Assert.True(
                entry.RootElement[1].EnumerateArray().Select(id => id.GetInt32()).SequenceEqual(ids),
                $"line {compared + 1}: {line}\nactual: {string.Join(' ', ids)}"
            );
            Assert.Equal(entry.RootElement[2].GetString(), tokenizer.Decode(ids));
            compared++;
        }
        Assert.True(compared > 0);
    }
}
