using Engram.Corpora.World;
using Engram.Tokenization;

namespace Engram.Tests.Corpora.World;

/// <summary>One small world for all tests that only read it.</summary>
internal static class SampleWorld
{
    public static readonly WorldOptions Options = new()
    {
        Seed = 5,
        Facts = 600,
        Tokens = 400_000,
        Questions = 1000,
    };

    private static readonly Lazy<(SyntheticWorld World, string[] Text, long Tokens, Tokenizer Tokenizer)> Made = new(() =>
    {
        var world = new SyntheticWorld(Options);
        var text = new WorldText(world);
        string[] documents = [.. text.Documents().Select(document => document.Text)];
        return (world, documents, text.Tokens, world.Tokenizer());
    });

    private static readonly Lazy<TextReading> Read = new(() => new TextReading(Text));

    private static readonly Lazy<Dictionary<string, WorldQuestion[]>> Asked = new(() =>
        new WorldQuestions(World).Sets().ToDictionary(set => set.Kind, set => set.Questions.ToArray())
    );

    public static SyntheticWorld World => Made.Value.World;

    public static string[] Text => Made.Value.Text;

    public static long Tokens => Made.Value.Tokens;

    public static Tokenizer Tokenizer => Made.Value.Tokenizer;

    /// <summary>What a reader finds in the text who knows nothing of how it was made.</summary>
    public static TextReading Reading => Read.Value;

    public static Dictionary<string, WorldQuestion[]> Questions => Asked.Value;
}
