using System.Text.Json.Nodes;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>
/// Normalizers and pre-tokenizers against what the reference library makes of the same texts. bench/rivals/tokenizer_stages.js makes the
/// files and says how
/// to compare more than the recorded one.
/// </summary>
public sealed class ReferenceStagesTests
{
    private const string Variable = "ENGRAM_STAGES";

    [Fact]
    public void RecordedTexts_GiveTheReferencesPieces() =>
        Assert.True(Compare(Path.Combine(AppContext.BaseDirectory, "Tokenization", "Goldens", "pre-tokenizers.json")) > 900);

    [Fact]
    public void FurtherTexts_GiveTheReferencesPieces()
    {
        var path = Environment.GetEnvironmentVariable(Variable);
        if (path is null)
            Assert.Skip($"{Variable} names no file of bench/rivals/tokenizer_stages.js.");
        Assert.True(Compare(path, mayBeRefused: true) > 0);
    }

    private static int Compare(string path, bool mayBeRefused = false)
    {
        var compared = 0;
        var differences = new List<string>();
        foreach (var entry in JsonNode.Parse(File.ReadAllBytes(path))!.AsArray())
        {
            var tiny = new TinyTokenizer()
                .With("normalizer", entry!["normalizer"]?.DeepClone())
                .With(
                    "pre_tokenizer",
                    TinyTokenizer.Sequence("pretokenizers", [.. entry["stages"]!.AsArray().Select(stage => stage!.DeepClone())])
                );
            Tokenizer tokenizer;
            try
            {
                tokenizer = tiny.Build();
            }
            catch (InvalidDataException e)
                when (mayBeRefused && e.Message.Contains("an endless repetition of what can be empty", StringComparison.Ordinal))
            {
                continue;
            }
            foreach (var pair in entry["cases"]!.AsArray())
            {
                var text = pair![0]!.GetValue<string>();
                var expected = string.Join('¦', pair[1]!.AsArray().Select(piece => piece!.GetValue<string>()));
                var actual = string.Join('¦', tokenizer.Pieces(text).Select(piece => piece.Text));
                compared++;
                if (actual != expected)
                    differences.Add(
                        $"{entry["normalizer"]?.ToJsonString()} {entry["stages"]!.ToJsonString()}\n\"{text}\"\nexpected "
                            + $"{expected}\nactual   {actual}"
                    );
            }
        }
        Assert.True(differences.Count == 0, $"{differences.Count} of {compared} texts differ:\n{string.Join("\n\n", differences.Take(5))}");
        return compared;
    }
}
