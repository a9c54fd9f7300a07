using Engram.Inference.Threads;

namespace Engram.Torch.Tests.Inference;

/// <summary>
/// Every part of every piece of work is done once, and is done when the call returns, whether the threads are awake or asleep.
/// </summary>
public sealed class ThreadTeamTests
{
    private sealed class Counts(int parts)
    {
        public readonly int[] Done = new int[parts];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Every_part_is_done_once(int threads)
    {
        using var team = new ThreadTeam<Counts>(threads);
        for (var piece = 1; piece <= 2000; piece++)
        {
            var counts = new Counts(piece % 17 + 1);
            team.Run((state, part) => state.Done[part]++, counts, counts.Done.Length);
            Assert.All(counts.Done, done => Assert.Equal(1, done));
            if (piece % 500 == 0)
                Thread.Sleep(2); // long enough for the threads to fall asleep
        }
    }

    [Fact]
    public void A_failure_reaches_the_caller_and_the_team_goes_on()
    {
        using var team = new ThreadTeam<Counts>(3);
        var counts = new Counts(8);
        Assert.Throws<InvalidOperationException>(() =>
            team.Run(
                (state, part) =>
                {
                    state.Done[part]++;
                    if (part == 3)
                        throw new InvalidOperationException();
                },
                counts,
                8
            )
        );
        Assert.All(counts.Done, done => Assert.Equal(1, done));
        team.Run((state, part) => state.Done[part]++, counts, 8);
        Assert.All(counts.Done, done => Assert.Equal(2, done));
    }
}
