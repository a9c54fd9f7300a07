using Engram.Corpora.World;

namespace Engram.Tests.Corpora.World;

public sealed class WorldQuestionsTests
{
    public static TheoryData<string> Kinds =>
        [
            WorldQuestions.Contiguous,
            WorldQuestions.Separated,
            WorldQuestions.Scattered,
            WorldQuestions.Homograph,
            WorldQuestions.TwoHop,
            WorldQuestions.Passage,
            WorldQuestions.Conflict,
            WorldQuestions.Arithmetic,
        ];

    [Fact]
    public void Sets_AreThoseOfAllKinds() => Assert.Equal(Kinds.Select(row => row.Data).Order(), SampleWorld.Questions.Keys.Order());

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ReaderOfTheText_AnswersEverything(string kind)
    {
        var questions = SampleWorld.Questions[kind];
        Assert.Equal(1000, questions.Length);
        Assert.Equal(
            questions.Select(question => question.Answer),
            questions.Select(question => SampleWorld.Reading.Answer(question.Prompt))
        );
        Assert.DoesNotContain(questions, question => question.Answer.Length == 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Choices_AreFourDifferentOnes_TheAnswerAnywhereAmongThem(string kind)
    {
        var questions = SampleWorld.Questions[kind];
        Assert.All(
            questions,
            question =>
            {
                Assert.Equal(4, question.Choices.Distinct().Count());
                Assert.Equal(question.Answer, question.Choices[question.Gold]);
            }
        );
        for (var gold = 0; gold < 4; gold++)
            Assert.InRange(questions.Count(question => question.Gold == gold), 200, 300);
    }

    [Theory]
    [InlineData(WorldQuestions.Contiguous)]
    [InlineData(WorldQuestions.Separated)]
    [InlineData(WorldQuestions.Scattered)]
    [InlineData(WorldQuestions.Homograph)]
    [InlineData(WorldQuestions.TwoHop)]
    public void Openings_AreNewToAReaderOfTheText_TheirWordsAreNot(string kind)
    {
        var openings = SampleWorld
            .Text.SelectMany(TextReading.Sentences)
            .Select(sentence => string.Join(' ', sentence.Split(' ').Take(2)))
            .ToHashSet();
        var words = SampleWorld.Text.SelectMany(text => text.Split(' ')).ToHashSet();
        foreach (var question in SampleWorld.Questions[kind])
        {
            var asked = TextReading.Sentences(question.Question).Last().Split(' ');
            Assert.DoesNotContain($"{asked[0]} {asked[1]}", openings);
            Assert.All(asked, word => Assert.Contains(word, words));
        }
    }

    [Fact]
    public void FactQuestions_AskForEveryFact_AndForNoneVeryOften()
    {
        foreach (var kind in new[] { WorldQuestions.Contiguous, WorldQuestions.Separated, WorldQuestions.Scattered })
        {
            var questions = SampleWorld.Questions[kind];
            var facts = SampleWorld.World.Facts.Where(fact => $"{fact.Key}".Equals(kind, StringComparison.OrdinalIgnoreCase)).ToArray();
            var asked = questions.CountBy(question => question.Facts.Single()).ToDictionary();
            Assert.All(questions, question => Assert.Contains(facts, fact => fact.Id == question.Facts.Single()));
            Assert.All(questions, question => Assert.Equal(question.Exposures, SampleWorld.World.Facts[question.Facts.Single()].Exposures));
            Assert.InRange(asked.Values.Max(), 1, Math.Max(4, 2 * questions.Length / facts.Length));
            // All facts are asked for but those of relations that have fewer than four values in this manner.
            Assert.Equal(
                facts
                    .GroupBy(fact => fact.Relation)
                    .Where(relation => relation.DistinctBy(fact => fact.Value).Count() >= WorldQuestions.Choices)
                    .SelectMany(relation => relation.Select(fact => fact.Id))
                    .Order(),
                asked.Keys.Order()
            );
        }
    }

    [Fact]
    public void Conflicts_ContradictTheText_AndOfferItsValue() =>
        Assert.All(
            SampleWorld.Questions[WorldQuestions.Conflict],
            question =>
            {
                var fact = SampleWorld.World.Facts[question.Facts.Single()];
                Assert.Equal(fact.Value, question.Trained);
                Assert.NotEqual(question.Trained, question.Answer);
                Assert.Contains(question.Trained!, question.Choices);
                Assert.Contains($"{fact.Subject.Name} {fact.Relation.Link} {question.Answer}", question.Passage!, StringComparison.Ordinal);
            }
        );

    [Fact]
    public void Homographs_OfferTheOtherMeaning() =>
        Assert.All(
            SampleWorld.Questions[WorldQuestions.Homograph],
            question =>
            {
                var fact = SampleWorld.World.HomographFacts.Single(fact => fact.Id == question.Facts.Single());
                var other = SampleWorld.World.HomographFacts.Single(meaning =>
                    meaning.Subject == fact.Subject && meaning.Relation == fact.Relation && meaning != fact
                );
                Assert.StartsWith($"A tale of the {fact.Region}.", question.Prompt, StringComparison.Ordinal);
                Assert.Contains(other.Value, question.Choices);
            }
        );

    [Fact]
    public void TwoHops_AskOfEachSplitAlike_FirstHopSideBySide()
    {
        var questions = SampleWorld.Questions[WorldQuestions.TwoHop];
        Assert.All(
            Enum.GetValues<CompositionSplit>(),
            split => Assert.InRange(questions.Count(question => question.Split == split), 300, 370)
        );
        Assert.All(
            questions,
            question =>
            {
                var first = SampleWorld.World.Facts[question.Facts[0]];
                Assert.Contains($" {first.Subject.Name} {first.Relation.Link} ", question.Question, StringComparison.Ordinal);
                Assert.DoesNotContain(first.Value, question.Question, StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public void Bits_OfAPerfectReaderAndOfAGuesser()
    {
        Assert.Equal(27.2535, KnowledgeBits.BiographyNameBits, 1e-4);
        Assert.Equal(47.5916, KnowledgeBits.BiographyValueBits, 1e-4);
        Assert.Equal(1000 * (27.2535 + 47.5916), KnowledgeBits.Biographies(1000, 0, 0), 0.2);
        Assert.Equal(
            0,
            KnowledgeBits.Biographies(1000, KnowledgeBits.BiographyNameBits * Math.Log(2), KnowledgeBits.BiographyValueBits * Math.Log(2)),
            1e-6
        );

        var facts = SampleWorld.World.Facts;
        Assert.Equal(facts.Sum(fact => fact.Bits), KnowledgeBits.OfFacts(facts.Select(fact => (fact.Bits, 0.0))), 1e-9);
        Assert.Equal(
            0,
            KnowledgeBits.OfFacts(facts.Select(fact => (fact.Bits, Math.Log(SampleWorld.World.ValuesOf(fact.Relation).Count)))),
            1e-9
        );
    }

    [Fact]
    public void Bits_OfTheGenericFormula()
    {
        // 10 persons of 8 possible names, 3 attributes of 2 chunks out of 4 values, spelt with 2 tokens out of 16.
        Assert.Equal(10 * 3 + 10 * 3 * 4 + 3 * 4 * (8 - 2), KnowledgeBits.Generic(10, 8, 3, 2, 4, 2, 16, 0, 0, 0), 1e-9);
        Assert.Equal(0, KnowledgeBits.Generic(10, 8, 3, 2, 4, 2, 16, Math.Log(8), 2 * Math.Log(4), Math.Log(256 / 4.0)), 1e-9);
    }
}
