using Engram.Corpora.World;

namespace Engram.Tests.Corpora.World;

/// <summary>
/// Readers who leave out what a question asks: neither what the choices look like nor what the text says of others behind a relation's
/// word,
/// in any form of sentence or region, nor the passage, gives an answer away.
/// </summary>
public sealed class WorldShortcutTests
{
    private const double Chance = 1.0 / WorldQuestions.Choices;

    /// <summary>How often a choice stands behind a relation's word in the text, whoever it is said of.</summary>
    private static readonly Lazy<Dictionary<(string Link, string Value), long>> Stated = new(() =>
        SampleWorld
            .Reading.Stated.Select(entry => (entry.Key.Link, entry.Key.Value, entry.Value))
            .Concat(SampleWorld.Reading.TwoHops.Select(entry => (entry.Key.Second, entry.Key.Value, entry.Value)))
            .GroupBy(entry => (entry.Item1, entry.Item2))
            .ToDictionary(group => group.Key, group => group.Sum(entry => entry.Item3))
    );

    private static readonly Lazy<Dictionary<string, long>> StatedAtAll = new(() =>
        Stated.Value.GroupBy(entry => entry.Key.Value).ToDictionary(group => group.Key, group => group.Sum(entry => entry.Value))
    );

    /// <summary>What a reader prefers who sees the choices and not the question.</summary>
    private static readonly Dictionary<string, Func<WorldQuestion, string, double>> WithoutTheQuestion = new()
    {
        ["the first"] = (_, _) => 0,
        ["what the text says most often"] = (_, choice) => StatedAtAll.Value.GetValueOrDefault(choice),
        ["what the text says least often"] = (_, choice) => -StatedAtAll.Value.GetValueOrDefault(choice),
        ["the number nearest to the mean"] = (question, choice) =>
            Number(choice) is { } number ? -Math.Abs(number - question.Choices.Average(other => Number(other)!.Value)) : 0,
        ["the number from which the others differ by a slip"] = (question, choice) =>
            Number(choice) is { } number
                ? question.Choices.Count(other => Math.Abs(Number(other)!.Value - number) is 0 or 1 or 2 or 9 or 10 or 11)
                : 0,
        ["the number that shares most digits with the others"] = (question, choice) =>
            Number(choice) is null ? 0 : question.Choices.Sum(other => choice.Count(other.Contains)),
        ["the least number"] = (_, choice) => -(Number(choice) ?? 0),
        ["the most usual sum"] = (_, choice) => -Math.Abs((Number(choice) ?? 0) - 99),
        ["a value of the passage"] = (question, choice) => Said(question).Contains(choice) ? 1 : 0,
        ["the first value of the passage"] = (question, choice) => -Said(question).IndexOf(choice),
        ["the last value of the passage"] = (question, choice) => Said(question).IndexOf(choice),
        ["what the text does not say of the person of whom the passage says it"] = (question, choice) =>
            Persons(question, choice).Count(person => !SampleWorld.Reading.Regions.ContainsKey((person.Name, person.Link, choice))),
        ["what is said of a person of whom the text says something else"] = (question, choice) =>
            Persons(question, choice)
                .Count(person => SampleWorld.Reading.Stated.Keys.Any(fact => fact.Name == person.Name && fact.Link == person.Link)),
    };

    /// <summary>What a reader prefers who sees the relation's word and the choices, and not whom the question is about.</summary>
    private static readonly Dictionary<string, Func<WorldQuestion, string, double>> WithoutTheName = new()
    {
        ["what the text says most often behind the word"] = (question, choice) => -Rank(question, choice),
        ["what it says second"] = (question, choice) => Rank(question, choice) == 1 ? 1 : 0,
        ["what it says third"] = (question, choice) => Rank(question, choice) == 2 ? 1 : 0,
        ["what it says least often"] = (question, choice) => Rank(question, choice),
        ["what stands behind the word first in the passage"] = (question, choice) => -At(question, choice),
        ["what stands behind the word last in the passage"] = (question, choice) => At(question, choice),
        ["whatever stands behind the word in the passage"] = (question, choice) => At(question, choice) < 0 ? 0 : 1,
    };

    public static TheoryData<string, string> Readers =>
        [
            .. from kind in WorldQuestionsTests.Kinds
            from reader in WithoutTheQuestion.Keys.Concat(WithoutTheName.Keys)
            select (kind.Data, reader),
        ];

    [Theory]
    [MemberData(nameof(Readers))]
    public void Reader_IsNotAboveChance(string kind, string reader)
    {
        var prefers = WithoutTheQuestion.GetValueOrDefault(reader) ?? WithoutTheName[reader];
        Assert.InRange(Share(SampleWorld.Questions[kind], prefers), 0, Chance + 3 * Error(Chance));
    }

    /// <summary>What a question shows beside the name, and its choices, are shown by as many questions of each of its answers.</summary>
    [Theory]
    [InlineData(WorldQuestions.Contiguous, 4)]
    [InlineData(WorldQuestions.Separated, 4)]
    [InlineData(WorldQuestions.Scattered, 4)]
    [InlineData(WorldQuestions.TwoHop, 4)]
    [InlineData(WorldQuestions.Homograph, 2)]
    public void WhatIsAskedTogether_HasEachAnswerAsOften(string kind, int answers) =>
        Assert.All(
            SampleWorld
                .Questions[kind]
                .GroupBy(question => (Seen(question, byRegion: answers == 2), string.Join('|', question.Choices.Order()))),
            set =>
            {
                var counts = set.CountBy(question => question.Answer).Select(answer => answer.Value).ToArray();
                Assert.Equal(0, counts.Length % answers);
                Assert.Single(counts.Distinct());
            }
        );

    /// <summary>
    /// Who counts values behind the relation's word, in sentences of the question's form or in its region, and never reads a name, is right
    /// as often as the size of a set says, by choice, and less often in writing: what is most usual is an answer of few sets. Sets of
    /// shared
    /// names are of one region, so that there the quarter of who ignores it holds on the average alone.
    /// </summary>
    [Theory]
    [InlineData(WorldQuestions.Contiguous, false, 0.25)]
    [InlineData(WorldQuestions.Separated, false, 0.25)]
    [InlineData(WorldQuestions.Scattered, false, 0.25)]
    [InlineData(WorldQuestions.TwoHop, false, 0.25)]
    [InlineData(WorldQuestions.Homograph, false, 0.25)]
    [InlineData(WorldQuestions.Homograph, true, 0.5)]
    public void Reader_OfFormAndRegion_WithoutTheName_IsRightBySetAlone(string kind, bool byRegion, double most)
    {
        var behind = SampleWorld
            .Reading.Behind.GroupBy(entry => ((byRegion ? entry.Key.Region : "", entry.Key.Form, entry.Key.Link), entry.Key.Value))
            .ToDictionary(group => group.Key, group => group.Sum(entry => entry.Value));
        var mostUsual = behind
            .GroupBy(entry => entry.Key.Item1)
            .ToDictionary(group => group.Key, group => group.MaxBy(entry => entry.Value).Key.Value);
        var questions = SampleWorld.Questions[kind];
        var chosen = Share(questions, (question, choice) => behind.GetValueOrDefault((Seen(question, byRegion), choice)));
        var written =
            questions.Count(question => mostUsual.GetValueOrDefault(Seen(question, byRegion)) == question.Answer)
            / (double)questions.Length;
        TestContext.Current.TestOutputHelper?.WriteLine($"{kind}: {chosen:P1} chosen, {written:P1} written");
        Assert.InRange(chosen, 0, kind == WorldQuestions.Homograph ? most + 3 * Error(most) : most);
        Assert.InRange(written, 0, 0.8 * most);
    }

    private static (string Region, string Form, string Link) Seen(WorldQuestion question, bool byRegion)
    {
        var (region, form, link) = TextReading.Form(question.Question);
        return (byRegion ? region : "", form, link);
    }

    /// <summary>Who knows both meanings of a name and leaves out the region can only guess between them.</summary>
    [Fact]
    public void Homographs_AreRightHalfOfTheTime_WithoutTheRegion()
    {
        var share = Share(SampleWorld.Questions[WorldQuestions.Homograph], (question, choice) => Meaning(question, choice) ? 1 : 0);
        Assert.InRange(share, 0.5 - 3 * Error(0.5), 0.5 + 3 * Error(0.5));

        static bool Meaning(WorldQuestion question, string choice)
        {
            var asked = SampleWorld.World.HomographFacts.Single(fact => fact.Id == question.Facts[0]);
            return SampleWorld.Reading.Regions.ContainsKey((asked.Subject.Name, asked.Relation.Link, choice));
        }
    }

    /// <summary>Copying what stands behind the relation's word is no better in writing either.</summary>
    [Theory]
    [InlineData(WorldQuestions.Passage)]
    [InlineData(WorldQuestions.Conflict)]
    public void Passages_SayFourThingsByOneWord_WhichAreTheChoices(string kind) =>
        Assert.All(
            SampleWorld.Questions[kind],
            question =>
            {
                Assert.Equal(4, Said(question).Distinct().Count());
                Assert.Equal(question.Choices.Order(), Said(question).Order());
                Assert.Single(question.Choices.SelectMany(choice => Persons(question, choice)).Select(person => person.Link).Distinct());
            }
        );

    /// <summary>Each set of sums is asked of each of its members: nothing about the set tells the answer.</summary>
    [Fact]
    public void SetsOfSums_AreAskedOfEachMemberAlike()
    {
        var uneven = SampleWorld
            .Questions[WorldQuestions.Arithmetic]
            .GroupBy(question => string.Join(' ', question.Choices.Order()))
            .Where(set => set.Key.Split(' ').Select(choice => set.Count(question => question.Answer == choice)).Distinct().Count() > 1)
            .Sum(set => set.Count());
        Assert.InRange(uneven, 0, 20);
    }

    // Of equal ones the first, which is any: choices come in random order.
    private static double Share(WorldQuestion[] questions, Func<WorldQuestion, string, double> prefers) =>
        questions.Count(question => question.Choices.MaxBy(choice => prefers(question, choice)) == question.Answer)
        / (double)questions.Length;

    private static double Error(double share) => Math.Sqrt(share * (1 - share) / SampleWorld.Options.Questions);

    private static int? Number(string choice) => int.TryParse(choice, out var number) ? number : null;

    /// <summary>How many of the other choices the text has behind the relation's word more often.</summary>
    private static int Rank(WorldQuestion question, string choice)
    {
        var stated = Stated.Value.GetValueOrDefault((Link(question), choice));
        return question.Choices.Count(other => Stated.Value.GetValueOrDefault((Link(question), other)) > stated);
    }

    private static string Link(WorldQuestion question) => question.Question[(question.Question.LastIndexOf(' ') + 1)..];

    /// <summary>The values of the passage in their order.</summary>
    private static List<string> Said(WorldQuestion question) => [.. Statements(question).Select(statement => statement.Value)];

    private static IEnumerable<(string Name, string Link)> Persons(WorldQuestion question, string value) =>
        Statements(question).Where(statement => statement.Value == value).Select(statement => (statement.Name, statement.Link));

    private static int At(WorldQuestion question, string choice) =>
        Statements(question).ToList().FindIndex(statement => statement.Link == Link(question) && statement.Value == choice);

    /// <summary>What the passage says: speaker, verb, "that", first and last name, relation, value.</summary>
    private static IEnumerable<(string Name, string Link, string Value)> Statements(WorldQuestion question) =>
        question.Passage is null
            ? []
            : TextReading
                .Sentences(question.Passage)
                .Skip(1)
                .Select(sentence => sentence.Split(' '))
                .Select(words => ($"{words[3]} {words[4]}", words[5], words[6]));
}
