using CsCheck;
using Engram.Corpora;
using Engram.Corpora.Files;

namespace Engram.Tests.Corpora;

public class CorpusSplitTests
{
    [Theory]
    [InlineData(2, 0.05, 1)]
    [InlineData(20, 0.05, 1)]
    [InlineData(124, 0.05, 6)]
    [InlineData(1000, 0.05, 50)]
    [InlineData(3, 0.9, 2)]
    public void Validation_IsTheShareOfDocumentsAskedFor(int count, double fraction, int expected)
    {
        var documents = SampleText.Documents(count);
        var (training, validation) = CorpusSplit.Divide(documents, fraction);
        Assert.Equal(expected, validation.Count);
        Assert.Equal(documents, training.Concat(validation).OrderBy(document => Array.IndexOf(documents, document)));
    }

    [Fact]
    public void Choice_DoesNotDependOnOrderOrNames()
    {
        Gen.Int[2, 60]
            .SelectMany(count => Gen.Shuffle(SampleText.Documents(count)))
            .Sample(
                shuffled =>
                {
                    var original = CorpusSplit
                        .Divide(SampleText.Documents(shuffled.Length), 0.1)
                        .Validation.Select(document => document.Text)
                        .ToHashSet();
                    var renamed = shuffled.Select(document => document with { Name = "x" + document.Name }).ToArray();
                    return original.SetEquals(CorpusSplit.Divide(renamed, 0.1).Validation.Select(document => document.Text));
                },
                iter: 100
            );
    }

    [Fact]
    public void GrowingCorpus_MovesDocumentsOnlyAcrossTheMovedBoundary()
    {
        var documents = SampleText.Documents(2000);
        var before = CorpusSplit.Divide(documents[..1900], 0.05).Validation.ToHashSet();
        var after = CorpusSplit.Divide(documents, 0.05).Validation.ToHashSet();
        var old = documents[..1900].ToHashSet();
        // One of the two old sets contains the other: a boundary has moved, nothing was drawn anew.
        var afterOld = after.Where(old.Contains).ToHashSet();
        Assert.True(before.IsSubsetOf(afterOld) || afterOld.IsSubsetOf(before));
    }

    [Fact]
    public void OneDocument_CannotBeDivided() => Assert.Throws<ArgumentException>(() => CorpusSplit.Divide(SampleText.Documents(1), 0.05));

    [Fact]
    public void ParagraphGroups_TogetherAreTheText()
    {
        Gen.OneOf("word", " ", "\n", "\n\n", "\r\n\r\n", "😀", "x")
            .Array[0, 4000]
            .Sample(
                parts =>
                {
                    var document = new Document("d", string.Concat(parts));
                    var pieces = ParagraphGroups.Cut(document).ToList();
                    return string.Concat(pieces.Select(piece => piece.Text)) == document.Text
                        && pieces.All(piece =>
                            piece.Text.Length <= 2 * ParagraphGroups.Target && !char.IsHighSurrogate(piece.Text.LastOrDefault())
                        )
                        && pieces.SkipLast(1).All(piece => piece.Text.Length >= ParagraphGroups.Target);
                },
                iter: 50
            );
    }

    [Fact]
    public void ParagraphGroups_PreferBlankLines_ThenLines_ThenSpaces()
    {
        var x = new string('x', 2500);
        Assert.Equal([2502, 2502, 2500], Lengths($"{x}\n\n{x}\n\n{x}"));
        Assert.Equal([2501, 2501, 2500], Lengths($"{x}\n{x}\n{x}"));
        Assert.Equal([2501, 2501, 2500], Lengths($"{x} {x} {x}"));
        Assert.Equal([4000, 3500], Lengths(x + x + x));
        Assert.Equal([3999, 3501], Lengths(new string('x', 3999) + "😀" + new string('x', 3499)));
        Assert.Equal([4000], Lengths(new string('x', 4000)));

        static IEnumerable<int> Lengths(string text) => ParagraphGroups.Cut(new Document("d", text)).Select(piece => piece.Text.Length);
    }
}
