using Engram.Corpora;
using Engram.Studies.Measures;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Cli;

namespace Engram.Torch.Tests.Studies;

public sealed class ClozeItemTests
{
    [Fact]
    public void Items_AskForTheLastWholeWord_AmongFourDifferentOnes()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("corpus.txt"), SampleCorpus.Text());
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(folder.File("corpus.txt")),
            folder.File("data"),
            new PreparationOptions { VocabularySize = 300 }
        );

        var items = ClozeItems.Of(corpus);

        Assert.NotEmpty(items);
        Assert.All(
            items,
            item =>
            {
                Assert.Equal(item.Answer, item.Choices[item.Gold]);
                Assert.Equal(4, item.Choices.Distinct().Count());
                Assert.False(char.IsWhiteSpace(item.Prompt[^1]) || char.IsWhiteSpace(item.Prompt[0]));
                Assert.True(item.Answer.Length >= 4 && item.Answer.All(char.IsLetter));
                // The passage stands in the text as it is.
                Assert.Contains($"{item.Prompt} {item.Answer}", SampleCorpus.Text());
            }
        );
        // The right choice stands at each place about equally often.
        Assert.Equal(items.Select((item, number) => number % 4), items.Select(item => item.Gold));
    }
}
