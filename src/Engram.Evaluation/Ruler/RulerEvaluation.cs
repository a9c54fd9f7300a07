using System.Diagnostics;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Models.Memory;

namespace Engram.Evaluation.Ruler;

/// <summary>RULER: samples made for a model's tokenizer, answered greedily behind the beginning of the answer, and scored.</summary>
public static class RulerEvaluation
{
    // Samples are made, and asked for, so many at a time: few enough for their texts to stay small.
    private const int SamplesAtOnce = 16;

    // Long texts side by side would multiply the memory that a sequence takes.
    private const int Together = 1;

    /// <summary>Asks a model.</summary>
    /// <param name="model">The model; its context holds the length. Stays the caller's.</param>
    /// <param name="memory">The memory to read: the model's own or a control; null adds nothing.</param>
    /// <param name="options">Which samples, and what is written of them.</param>
    /// <param name="progress">Told how many samples are done.</param>
    /// <param name="cancellation">Ends between two tokens; answers that were given stay.</param>
    /// <exception cref="ArgumentException">
    /// An option is out of range, the length is greater than the context, or there is no such part of the memory.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// The configuration names no start token, or the model's logits are not finite.
    /// </exception>
    public static RulerReport Run(
        IScoredModel model,
        MemoryBank? memory,
        RulerOptions options,
        IProgress<RulerProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var context = model.Configuration.MaxPositionEmbeddings;
        if (options.Length > context)
            throw new ArgumentOutOfRangeException(
                nameof(options),
                options.Length,
                $"The model's context is {context:N0} tokens, fewer than {options.Length:N0}. Ask for a smaller length and the tasks that fit "
                    + "there, or train the model on longer texts."
            );
        var material = new RulerMaterial(options.Validated().Material, options.Essays, cancellation);
        var items = new RulerItems(model.Tokenizer, material, options.Length, options.Seed);
        items.RequireRoom(options.Chosen, cancellation);
        using var silenced = new SilencedMemory(memory, options.Suppression, cancellation);
        var questioning = new Questioning(
            new Scorer(model, silenced.Prompts, together: Together, answers: silenced.Answers),
            options,
            progress,
            cancellation
        );
        var tasks = options
            .Chosen.Select(task =>
            {
                var (scores, tokens) = questioning.Ask(items.Make(task, options.Samples, cancellation));
                var (given, own) = material.Of(task);
                return (
                    Task: task,
                    Score: new RulerTaskScore(
                        task.Name,
                        task.Category,
                        RulerScore.OfTask(scores),
                        scores.Count,
                        (double)tokens / scores.Count,
                        given,
                        own
                    )
                );
            })
            .ToArray();
        var categories = RulerScore
            .ByCategory(tasks.Select(entry => (entry.Task, entry.Score.Score)))
            .Select(entry => new RulerCategoryScore(entry.Category, entry.Score));
        return new RulerReport(
            options.Length,
            options.Seed,
            [.. tasks.Select(entry => entry.Score)],
            [.. categories],
            Math.Round(tasks.Average(entry => entry.Score.Score), 2)
        );
    }

    /// <summary>Puts samples to a model, except those whose answers are known.</summary>
    private sealed class Questioning(
        Scorer scorer,
        RulerOptions options,
        IProgress<RulerProgress>? progress,
        CancellationToken cancellation
    )
    {
        private readonly string _key = RulerSamples.KeyOf(options);
        private readonly Stopwatch _asking = new();
        private int _done;
        private int _asked;

        /// <summary>The scores of a task's samples, and the tokens that they have together.</summary>
        public (List<double> Scores, long Tokens) Ask(IEnumerable<RulerItem> items)
        {
            var (scores, tokens) = (new List<double>(), 0L);
            foreach (var group in items.Chunk(SamplesAtOnce))
            {
                scores.AddRange(Answered(group).Select(sample => sample.Values[RulerSamples.Score]));
                tokens += group.Sum(item => (long)item.Tokens);
            }
            return (scores, tokens);
        }

        private TaskSample[] Answered(RulerItem[] items)
        {
            var samples = new TaskSample[items.Length];
            List<int> open = [];
            for (var i = 0; i < items.Length; i++)
                if (options.Answers?.Take(_key, items[i].Task.Name, items[i].Index, RulerSamples.HashOf(items[i])) is { } known)
                    Keep(i, known);
                else
                    open.Add(i);
            if (open.Count == 0)
                return samples;
            _asking.Start();
            _ = scorer.Answer(
                [.. open.Select(i => new GenerationRequest(items[i].Context, [], items[i].Task.NewTokens))],
                answered: (request, answer) =>
                {
                    var sample = RulerSamples.Of(items[open[request]], answer.Text!, options, _key);
                    options.Answers?.Append(sample);
                    _asked++;
                    Keep(open[request], sample);
                },
                cancellation: cancellation
            );
            _asking.Stop();
            return samples;

            void Keep(int i, TaskSample sample)
            {
                samples[i] = sample;
                var left = options.Chosen.Count * options.Samples - ++_done;
                progress?.Report(new RulerProgress(_done, _done + left, _asked == 0 ? null : _asking.Elapsed / _asked * left));
            }
        }
    }
}
