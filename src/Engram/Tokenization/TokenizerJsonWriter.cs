using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>
/// Writes a tokenizer.json in the canonical form: the reference library's key order and pretty printing, merges as strings, UTF-8 with only
/// the escapes JSON requires. Two files that define the same tokenizer come out identical.
/// </summary>
internal static class TokenizerJsonWriter
{
    public static void Write(TokenizerDefinition definition, Stream destination)
    {
        using var json = new Utf8JsonWriter(
            destination,
            new JsonWriterOptions
            {
                Indented = true,
                IndentSize = 2,
                NewLine = "\n",
                Encoder = MinimalJsonEncoder.Instance,
            }
        );
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        WriteElement(json, "truncation", definition.Truncation);
        WriteElement(json, "padding", definition.Padding);
        json.WriteStartArray("added_tokens");
        foreach (var token in definition.AddedTokens)
            WriteAddedToken(json, token);
        json.WriteEndArray();
        WriteElement(json, "normalizer", definition.Normalizer);
        WriteElement(json, "pre_tokenizer", definition.PreTokenizer);
        WriteElement(json, "post_processor", definition.PostProcessor);
        WriteElement(json, "decoder", definition.Decoder);
        WriteModel(json, definition);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, TokenizerDefinition definition)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", definition.UnknownToken);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", definition.FuseUnknown);
        json.WriteBoolean("byte_fallback", definition.ByteFallback);
        json.WriteBoolean("ignore_merges", definition.IgnoreMerges);
        json.WriteStartObject("vocab");
        for (var id = 0; id < definition.Tokens.IdCount; id++)
            if (definition.Tokens.IsInModel(id))
                json.WriteNumber(definition.Tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        var pair = Array.Empty<byte>();
        foreach (var merge in definition.Merges)
        {
            var left = definition.Tokens[merge.Left];
            var right = definition.Tokens[merge.Right];
            var length = left.Length + 1 + right.Length;
            if (pair.Length < length)
                pair = new byte[length * 2];
            left.CopyTo(pair);
            pair[left.Length] = (byte)' ';
            right.CopyTo(pair.AsSpan(left.Length + 1));
            json.WriteStringValue(pair.AsSpan(0, length));
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteAddedToken(Utf8JsonWriter json, AddedToken token)
    {
        json.WriteStartObject();
        json.WriteNumber("id", token.Id);
        json.WriteString("content", token.Content);
        json.WriteBoolean("single_word", token.SingleWord);
        json.WriteBoolean("lstrip", token.LeftStrip);
        json.WriteBoolean("rstrip", token.RightStrip);
        json.WriteBoolean("normalized", token.Normalized);
        json.WriteBoolean("special", token.Special);
        json.WriteEndObject();
    }

    private static void WriteElement(Utf8JsonWriter json, string name, JsonElement? value)
    {
        json.WritePropertyName(name);
        if (value is { } element)
            element.WriteTo(json);
        else
            json.WriteNullValue();
    }
}
