using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>Random words of needles, lists and variables.</summary>
/// <param name="adjectives">First halves of keys.</param>
/// <param name="nouns">Second halves of keys.</param>
internal sealed class RulerWords(IReadOnlyList<string> adjectives, IReadOnlyList<string> nouns)
{
    /// <summary>Names of no meaning, for those who have no word lists.</summary>
    public static RulerWords Own { get; } = MakeOwn();

    /// <summary>Different words for lists.</summary>
    public IReadOnlyList<string> All { get; } = [.. adjectives.Concat(nouns).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>Whether there are enough for lists of 128k tokens.</summary>
    public bool SufficeForLists => All.Count >= 4000;

    /// <summary>A random key or value.</summary>
    public string Draw(NeedleWords kind, WorldRandom random) =>
        kind switch
        {
            NeedleWords.Words => $"{random.Of(adjectives)}-{random.Of(nouns)}",
            NeedleWords.Numbers => $"{1_000_000 + random.Below(9_000_000)}",
            _ => Uuid(random),
        };

    /// <summary>So many random letters.</summary>
    public static string Letters(int count, char first, WorldRandom random) =>
        string.Create(
            count,
            (first, random),
            (text, state) =>
            {
                for (var i = 0; i < text.Length; i++)
                    text[i] = (char)(state.first + state.random.Below(26));
            }
        );

    private static string Uuid(WorldRandom random)
    {
        var bytes = new byte[16];
        BitConverter.TryWriteBytes(bytes.AsSpan(0), random.Bits());
        BitConverter.TryWriteBytes(bytes.AsSpan(8), random.Bits());
        // RFC 9562, section 5.4: version 4, variant 10.
        bytes[6] = (byte)(bytes[6] & 0x0F | 0x40);
        bytes[8] = (byte)(bytes[8] & 0x3F | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }

    private static RulerWords MakeOwn()
    {
        var forge = new NameForge(new WorldRandom(0, "ruler words"));
        return new RulerWords(Lower(forge.Make(2000)), Lower(forge.Make(8000)));

        static string[] Lower(string[] names) => [.. names.Select(name => name.ToLowerInvariant())];
    }
}
