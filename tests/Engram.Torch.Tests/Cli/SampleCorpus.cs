namespace Engram.Torch.Tests.Cli;

/// <summary>A text of a few words, always the same.</summary>
internal static class SampleCorpus
{
    /// <summary>Paragraphs that differ enough not to be duplicates.</summary>
    public static string Text()
    {
        string[] words =
        [
            "the",
            "mare",
            "tamed",
            "horse",
            "A",
            "king",
            "rode",
            "over",
            "a",
            "river",
            "while",
            "nobody",
            "looked",
            "again",
            "The",
        ];
        var random = new Random(7);
        return string.Join(
            "\n\n",
            Enumerable
                .Range(0, 60)
                .Select(_ => string.Join(' ', Enumerable.Range(0, 80).Select(_ => words[random.Next(words.Length)])) + ".")
        );
    }
}
