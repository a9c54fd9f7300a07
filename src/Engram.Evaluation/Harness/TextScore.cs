using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Harness;

/// <summary>Scores of texts whose every token is predicted: quantities are summed over texts before they are divided.</summary>
internal static class TextScore
{
    /// <summary>A metric over texts; its standard error is that of drawing texts again.</summary>
    /// <exception cref="InvalidDataException">There is no such metric.</exception>
    public static Estimate Of(TaskFile task, string metric, IReadOnlyList<TaskSample> samples)
    {
        double Statistic(IEnumerable<TaskSample> drawn)
        {
            var (nats, tokens, bytes, words) = (0.0, 0.0, 0.0, 0.0);
            foreach (var sample in drawn)
            {
                nats += sample.Values["nats"];
                tokens += sample.Values["tokens"];
                bytes += sample.Values["bytes"];
                words += sample.Values["words"];
            }
            return metric switch
            {
                "loss" => nats / tokens,
                "bits_per_byte" => Perplexity.BitsPerByte(nats, (long)bytes),
                "byte_perplexity" => Perplexity.PerByte(nats, (long)bytes),
                "word_perplexity" => Perplexity.PerWord(nats, (long)words),
                _ => throw new InvalidDataException(
                    $"task {task.Task}: no metric \"{metric}\" for texts; there are loss, bits_per_byte, byte_perplexity and word_perplexity."
                ),
            };
        }

        var error =
            samples.Count < 2
                ? double.NaN
                : Bootstrap.StandardError(
                    samples.Count,
                    indices =>
                    {
                        var drawn = new TaskSample[indices.Length];
                        for (var i = 0; i < indices.Length; i++)
                            drawn[i] = samples[indices[i]];
                        return Statistic(drawn);
                    },
                    EvaluationOptions.BootstrapSeed
                );
        return new Estimate(Statistic(samples), error, samples.Count);
    }
}
