using System.Text.Json;
using Engram.Storage;

namespace Engram.Studies.Results;

/// <summary>
/// Which texts the rows of a folder come from: a file <c>texts.json</c> beside them, the identity of each text by size and corpus. With it
/// a report knows the hash that every row should have, without reading a text.
/// </summary>
public sealed class TextIdentities
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "texts.json";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NewLine = "\n" };

    private readonly SortedDictionary<string, string> _known;

    private TextIdentities(SortedDictionary<string, string> known) => _known = known;

    /// <summary>Reads the file of a folder.</summary>
    /// <param name="folder">The folder of results; without the file nothing is known.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static TextIdentities Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return new TextIdentities(new(StringComparer.Ordinal));
        try
        {
            var read = JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(path)) ?? throw new JsonException("null");
            return new TextIdentities(new(read, StringComparer.Ordinal));
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(
                $"{path}: damaged: {error.Message} Delete the file; the next engram study run writes it again.",
                error
            );
        }
    }

    /// <summary>The identity of a text; null where nothing is known of it.</summary>
    /// <param name="size">The name of a size.</param>
    /// <param name="corpus">The name of one of its corpora.</param>
    public string? Of(string size, string corpus) => _known.GetValueOrDefault(Key(size, corpus));

    /// <summary>Adds what is known of texts to the file of a folder; written only where something changes.</summary>
    /// <param name="folder">Is created if it is missing.</param>
    /// <param name="texts">Size, corpus and identity of each.</param>
    public static void Write(string folder, IEnumerable<(string Size, string Corpus, string Identity)> texts)
    {
        var all = Read(folder)._known;
        var changed = false;
        foreach (var (size, corpus, identity) in texts)
        {
            changed |= all.GetValueOrDefault(Key(size, corpus)) != identity;
            all[Key(size, corpus)] = identity;
        }
        if (!changed)
            return;
        Directory.CreateDirectory(folder);
        AtomicFile.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(all, Json) + "\n");
    }

    private static string Key(string size, string corpus) => $"{size}/{corpus}";
}
