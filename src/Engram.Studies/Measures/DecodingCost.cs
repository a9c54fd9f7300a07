using System.Diagnostics;
using static TorchSharp.torch;

namespace Engram.Studies.Measures;

/// <summary>What a token costs: in training as the run recorded it, in decoding one sequence token by token.</summary>
internal static class DecodingCost
{
    private const int WarmUp = 32,
        Tokens = 128,
        Rounds = 3;

    /// <summary>
    /// Microseconds per training token, and milliseconds per decoded token: the median over tokens that validation text dictates, so that
    /// every model reads the same ones.
    /// </summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        var ids = new int[
            Math.Min(run.Run.Configuration.MaxPositionEmbeddings, (int)Math.Min(WarmUp + Tokens, run.Corpus.Validation.Count))
        ];
        run.Corpus.Validation.CopyTo(0, ids);
        List<double> milliseconds = [];
        for (var round = 0; round < Rounds; round++)
            milliseconds.AddRange(Decode(run, ids, cancellation).Skip(WarmUp));
        milliseconds.Sort();
        return
        [
            ("decoding_milliseconds_per_token", milliseconds[milliseconds.Count / 2]),
            ("training_microseconds_per_token", 1e6 / run.Result.TokensPerSecond),
        ];
    }

    private static IEnumerable<double> Decode(MeasuredRun run, int[] ids, CancellationToken cancellation)
    {
        var model = run.Model;
        using var state = model.Transformer.NewState();
        foreach (var id in ids)
        {
            cancellation.ThrowIfCancellationRequested();
            var began = Stopwatch.GetTimestamp();
            using (inference_mode())
            using (NewDisposeScope())
                _ = model.Transformer.Logits(model.Continue([state], [id], model.Memory)).cpu();
            yield return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }
    }
}
