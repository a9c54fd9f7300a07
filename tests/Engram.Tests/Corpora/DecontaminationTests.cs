using CsCheck;
using Engram.Corpora;
using Engram.Corpora.Files;

namespace Engram.Tests.Corpora;

public class DecontaminationTests
{
    [Fact]
    public void Document_ThatRepeatsHalfOfAValidationDocument_IsLeftOut()
    {
        Document[] validation = [new("v", "one two three four five six")];
        // Of the shingles: all four; three of five; two of six; none.
        Document[] training =
        [
            new("same", "One two, three four five six!"),
            new("like", "one two three four five seven"),
            new("other", "one two three four eight nine"),
            new("far", "ten eleven twelve"),
        ];
        Assert.Equal(
            ["other", "far"],
            Decontamination.Separate([.. training], [.. validation], 1).Training.Select(document => document.Name)
        );
    }

    /// <summary>Texts of few words in few orders, so that many pairs are close to the threshold on either side.</summary>
    [Fact]
    public void WhatRemains_IsWhatComparingAllPairsLeaves()
    {
        var text = Gen.Int[0, 4].Array[0, 12].Select(words => string.Join(' ', words.Select(word => "abcde"[word])));
        Gen.Select(text.Array[1, 40], text.Array[1, 40])
            .Sample(
                (inTraining, inValidation) =>
                {
                    var (training, validation) = (Documents(inTraining), Documents(inValidation));
                    var expected = training.Where(one => validation.All(other => !AreAlike(one, other))).Select(document => document.Name);
                    Assert.Equal(expected, Decontamination.Separate(training, validation, 1).Training.Select(document => document.Name));
                },
                iter: 2000
            );

        static List<Document> Documents(string[] texts) => [.. texts.Select((text, i) => new Document($"{i}", text))];
    }

    [Fact]
    public void TextWithoutLetters_IsLikeNothing() =>
        Assert.Single(Decontamination.Separate([new("numbers", "1 2 3")], [new("others", "1 2 3 4")], 1).Training);

    private static bool AreAlike(Document one, Document other)
    {
        var (a, b) = (Shingles(one), Shingles(other));
        return a.Count > 0 && b.Count > 0 && a.Intersect(b).Count() >= 0.5 * a.Union(b).Count();
    }

    // As defined: three consecutive words; one shingle if there are fewer.
    private static HashSet<string> Shingles(Document document)
    {
        var words = document.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length is 1 or 2
            ? [string.Join(' ', words)]
            : [.. Enumerable.Range(0, Math.Max(0, words.Length - 2)).Select(i => string.Join(' ', words.AsSpan(i, 3).ToArray()))];
    }

    /// <summary>
    /// The validation document that half of training is like goes; the others, and training, stay. At least half of validation stays
    /// whatever it costs.
    /// </summary>
    [Fact]
    public void Validation_GivesWay_BeforeTooMuchOfTrainingDoes()
    {
        List<Document> validation =
        [
            new("form", "this form is always the same but for one word here"),
            new("a", "quite another text about horses and hills"),
            new("b", "a third text that speaks of rivers only"),
        ];
        List<Document> training =
        [
            .. Enumerable
                .Range(0, 10)
                .Select(i => new Document(
                    $"{i}",
                    i < 5 ? $"this form is always the same but for one word {(char)('k' + i)}" : SampleText.Documents(10)[i].Text
                )),
        ];
        var (lenient, all) = Decontamination.Separate(training, validation, mostLeftOut: 0.5);
        Assert.Equal((5, 3), (lenient.Count, all.Count));
        var (kept, rest) = Decontamination.Separate(training, validation, mostLeftOut: 0.4);
        Assert.Equal(10, kept.Count);
        Assert.Equal(["a", "b"], rest.Select(document => document.Name));
        var (few, last) = Decontamination.Separate(training, [validation[0]], mostLeftOut: 0.4);
        Assert.Equal((5, 1), (few.Count, last.Count));
    }
}
