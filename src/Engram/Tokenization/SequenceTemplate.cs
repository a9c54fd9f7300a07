using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>The special ids that a post-processor puts around an encoded text.</summary>
/// <param name="Before">For example the id that begins a sequence.</param>
/// <param name="After">For example the id that ends it.</param>
internal sealed record SequenceTemplate(int[] Before, int[] After)
{
    private const string Supported = "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing, Sequence";

    // Templates hold one or two ids; the limit keeps a hostile file from multiplying a long list of ids by a long list of places.
    private const int MostIds = 64;

    private static readonly SequenceTemplate Empty = new([], []);

    /// <exception cref="InvalidDataException">An unknown type or a malformed template.</exception>
    public static SequenceTemplate FromJson(TokenizerComponent json, TokenTable vocabulary)
    {
        if (json.Json.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined)
            return Empty;
        return json.Type switch
        {
            "ByteLevel" => Empty, // concerns offsets only
            "TemplateProcessing" => FromTemplate(json, vocabulary),
            // Roberta also trims offsets, which do not exist here.
            "RobertaProcessing" or "BertProcessing" => new([SpecialId(json, "cls", vocabulary)], [SpecialId(json, "sep", vocabulary)]),
            "Sequence" => json.Children("processors")
                .Select(part => FromJson(part, vocabulary))
                .Aggregate(
                    Empty,
                    (inner, outer) =>
                        Limited(json, new SequenceTemplate([.. outer.Before, .. inner.Before], [.. inner.After, .. outer.After]))
                ),
            _ => throw json.UnknownType(Supported),
        };
    }

    private static SequenceTemplate FromTemplate(TokenizerComponent json, TokenTable vocabulary)
    {
        List<int> before = [],
            after = [];
        var seenText = false;
        foreach (var piece in json.Children("single"))
        {
            if (piece.Json.ValueKind == JsonValueKind.Object && piece.Json.TryGetProperty("Sequence", out _))
            {
                if (seenText)
                    throw json.Error("TemplateProcessing repeats the text");
                seenText = true;
            }
            else
                (seenText ? after : before).AddRange(
                    Ids(json, (piece with { Json = piece.Property("SpecialToken") }).Text("id"), vocabulary)
                );
            if (before.Count + after.Count > MostIds)
                break;
        }
        var template = Limited(json, new SequenceTemplate([.. before], [.. after]));
        return seenText ? template : throw json.Error("TemplateProcessing leaves out the text");
    }

    /// <summary>A token given as its string and its id.</summary>
    private static int SpecialId(TokenizerComponent json, string name, TokenTable vocabulary)
    {
        var token = json.Property(name);
        return
            token.ValueKind == JsonValueKind.Array
            && token.GetArrayLength() == 2
            && token[1].ValueKind == JsonValueKind.Number
            && token[1].TryGetInt32(out var id)
            && IsId(id, vocabulary)
            ? id
            : throw json.Error($"\"{name}\" must be a token and its id in this vocabulary, not {Excerpt.Of(token.GetRawText())}");
    }

    private static bool IsId(int id, TokenTable vocabulary) => (uint)id < (uint)vocabulary.IdCount && vocabulary.Has(id);

    private static SequenceTemplate Limited(TokenizerComponent json, SequenceTemplate template) =>
        template.Before.Length + template.After.Length <= MostIds
            ? template
            : throw json.Error($"more than {MostIds} special ids around a text");

    private static IEnumerable<int> Ids(TokenizerComponent json, string name, TokenTable vocabulary)
    {
        var special = (json with { Json = json.Property("special_tokens") }).Property(name);
        var ids = (json with { Json = special }).Property("ids");
        if (ids.ValueKind != JsonValueKind.Array)
            throw json.Error($"the ids of {Excerpt.Of(name)} must be an array");
        foreach (var value in ids.EnumerateArray().Take(MostIds + 1))
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var id) || !IsId(id, vocabulary))
                throw json.Error($"{Excerpt.Of(name)} stands for {Excerpt.Of(value.GetRawText())}, which is no id of this vocabulary");
            yield return id;
        }
    }
}
