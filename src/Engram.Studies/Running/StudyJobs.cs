using Engram.Studies.Planning;

namespace Engram.Studies.Running;

/// <summary>What the plans of a call come to: one job for each different model, those of a slice.</summary>
internal static class StudyJobs
{
    /// <summary>The jobs of a slice, in the order of the plans.</summary>
    /// <param name="plans">What is to be run.</param>
    /// <param name="data">The name of a run's text.</param>
    /// <param name="slice">Which part of it.</param>
    public static IReadOnlyList<StudyJob> Of(IReadOnlyList<StudyPlan> plans, Func<PlannedRun, string> data, StudySlice slice)
    {
        string Inputs(PlannedRun run) => RunInputs.Of(run, data(run));
        var jobs = plans.SelectMany(plan => plan.Runs).GroupBy(Inputs).Select(runs => new StudyJob(runs.Key, [.. runs], data)).ToList();
        // The longest are dealt out first, so that slices take about the same time. What needs another one's model stays with it.
        var mine = Chains(jobs, Inputs)
            .OrderByDescending(chain => chain.Sum(job => job.Seconds))
            .ThenBy(chain => chain[0].Inputs, StringComparer.Ordinal)
            .Where((_, place) => place % slice.Count == slice.Index - 1)
            .SelectMany(chain => chain)
            .ToHashSet();
        return [.. jobs.Where(mine.Contains)];
    }

    /// <summary>Jobs that need each other's models, directly or through others, together.</summary>
    private static IEnumerable<List<StudyJob>> Chains(List<StudyJob> jobs, Func<PlannedRun, string> inputs)
    {
        var chains = new List<(HashSet<string> Models, List<StudyJob> Jobs)>();
        foreach (var job in jobs)
        {
            HashSet<string> models = [job.Inputs, .. job.Runs.SelectMany(run => run.Needs).SelectMany(Models)];
            var joined = chains.Where(chain => chain.Models.Overlaps(models)).ToList();
            foreach (var chain in joined)
            {
                chains.Remove(chain);
                models.UnionWith(chain.Models);
            }
            chains.Add((models, [.. joined.SelectMany(chain => chain.Jobs), job]));
        }
        return chains.Select(chain => chain.Jobs);

        IEnumerable<string> Models(PlannedRun run) => [inputs(run), .. run.Needs.SelectMany(Models)];
    }
}
