using Engram.Corpora;
using Engram.Models.Sequences;
using Engram.Torch.Tests.Layers;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Sequences;

public class DocumentRuleTests
{
    private const int Start = 5;
    private static readonly bool[] Starts = [false, false, true, false, true, true, false, false, true, false];

    [Fact]
    public void Ages_and_documents_count_from_each_document_start_in_every_sequence()
    {
        var (ages, documents) = Rule().Places(new int[10], Starts, 2);
        Assert.Equal(
            [
                0,
                1,
                0,
                1,
                0, /* second sequence */
                0,
                1,
                2,
                0,
                1,
            ],
            ages
        );
        Assert.Equal(
            [
                0,
                0,
                2,
                2,
                4, /* second sequence */
                0,
                0,
                0,
                3,
                3,
            ],
            documents
        );
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Without_reset_or_without_marks_ages_count_from_the_sequence_start(bool marks) =>
        Assert.Equal([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], Rule(reset: !marks).Places(new int[10], marks ? Starts : [], 2).Ages);

    [Theory, InlineData(true), InlineData(false)]
    public void Ages_begin_anew_behind_dead_positions(bool reset)
    {
        int[] ids =
        [
            1,
            7,
            1,
            1,
            9, /* second sequence */
            7,
            9,
            1,
            1,
            1,
        ];
        int[] expected = reset ? [0, -1, 0, 1, -1, -1, -1, 0, 0, 1] : [0, -1, 0, 1, -1, -1, -1, 0, 1, 2];
        var (ages, documents) = Rule(reset, 7, 9).Places(ids, Starts, 2);
        Assert.Equal(expected, ages);
        Assert.Equal([0, 0, 2, 2, 4, 0, 0, 0, 3, 3], documents); // attention looks past dead positions
    }

    [Fact]
    public void A_document_begins_at_its_start_token_as_in_prepared_data()
    {
        var rule = new DocumentRule(TinyRun.Configuration);
        var documents = 0;
        foreach (var batch in new ValidationBatches(TinyCorpus.Shared, 40, 1, 24))
        {
            var starts = rule.Starts(batch.Inputs);
            documents += starts.Count(start => start);
            starts[0] = true;
            Assert.Equal(batch.DocumentStarts, starts);
        }

        Assert.InRange(documents, 5, 500);
    }

    [Fact]
    public void Begin_of_sequence_starts_documents_or_else_end_of_sequence()
    {
        foreach (
            var (bos, eos, start, end) in new (int?, int?, int?, int?)[]
            {
                (3, 5, 3, 5),
                (3, null, 3, 3),
                (null, 5, 5, 5),
                (null, null, null, null),
            }
        )
        {
            var configuration = TinyModels.Dense with { BosTokenId = bos, EosTokenId = eos };
            Assert.Equal((start, end), (configuration.StartTokenId, configuration.EndTokenId));
            Assert.Equal([start == 3, start == 5, false], new DocumentRule(configuration).Starts([3, 5, 0]));
        }
    }

    [Fact]
    public void A_history_knows_what_the_rule_says_however_it_grew()
    {
        var (rule, random) = (Rule(true, 7, 9), new Random(1));
        for (var repeat = 0; repeat < 50; repeat++)
        {
            var ids = Enumerable.Range(0, 80).Select(_ => random.Next(3, 11)).ToArray();
            var history = new TokenHistory(rule);
            while (history.Length < ids.Length)
            {
                var next = Math.Min(ids.Length, history.Length + 1 + random.Next(20));
                history.Append(ids.AsSpan(history.Length, next - history.Length));
                if (random.Next(3) == 0)
                    history.Truncate(random.Next(history.Length + 1));
                if (random.Next(3) == 0)
                {
                    var fork = history.Fork();
                    fork.Append([Start, 7, 8]);
                    fork.Truncate(0);
                    fork.Append([1, 2]);
                }
            }

            var (ages, documents) = rule.Places(ids, rule.Starts(ids), 1);
            Assert.Equal(ids, history.TokenIds.ToArray());
            Assert.Equal(ages, history.Ages.ToArray());
            Assert.Equal(documents, history.Documents.ToArray());
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenHistory(rule).Truncate(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenHistory(rule).Truncate(-1));
    }

    private static DocumentRule Rule(bool reset = true, params int[] dead) =>
        new(
            TinyModels.Dense with
            {
                BosTokenId = Start,
                Engram = TinyModels.Engram with { ResetAtDocuments = reset, DeadTokenIds = dead },
            }
        );
}
