using System.Security.Cryptography;
using System.Text;
using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Tokenization;
using Engram.Torch;
using Engram.Torch.Generation;

namespace Engram.Evaluation.Ruler;

/// <summary>RULER: samples made for a model's tokenizer, answered greedily behind the beginning of the answer, and scored.</summary>
public static class RulerEvaluation
{
    /// <summary>Asks a model.</summary>
    /// <param name="model">The model; its context holds the length.</param>
    /// <param name="memory">The memory to read; null adds nothing.</param>
    /// <param name="options">Which samples.</param>
    /// <param name="known">Answers of an earlier run to the same samples, which are not asked for again.</param>
    /// <param name="answered">Told each new answer.</param>
    /// <param name="progress">Told how many samples are done.</param>
    /// <param name="cancellation">Ends between two samples.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the length is greater than the context.</exception>
    /// <exception cref="InvalidDataException">A known answer belongs to another sample.</exception>
    public static RulerReport Run(
        LanguageModel model,
        MemoryBank? memory,
        RulerOptions options,
        IReadOnlyCollection<RulerAnswer>? known = null,
        Action<RulerAnswer>? answered = null,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var context = model.Configuration.MaxPositionEmbeddings;
        if (options.Length > context)
            throw new ArgumentOutOfRangeException(
                nameof(RulerOptions.Length),
                options.Length,
                $"The model's context is {context:N0} tokens, fewer than {options.Length:N0}. Ask for less, with --tasks for what fits "
                    + $"there, or train the model on longer texts: engram train --init MODEL --extend-context {options.Length}."
            );
        var generator = new TextGenerator(model);
        return Run(
            model.Tokenizer,
            options,
            item =>
            {
                var sampling = new SamplingOptions { Temperature = 0, MaxNewTokens = item.Task.NewTokens };
                return string.Concat(generator.Stream(item.Context, sampling, memory, TypedTokens.AllAsText, cancellation));
            },
            known,
            answered,
            progress,
            cancellation
        );
    }

    /// <summary>Asks whoever answers.</summary>
    internal static RulerReport Run(
        Tokenizer tokenizer,
        RulerOptions options,
        Func<RulerItem, string> answer,
        IReadOnlyCollection<RulerAnswer>? known,
        Action<RulerAnswer>? answered,
        IProgress<int>? progress,
        CancellationToken cancellation
    )
    {
        var earlier = (known ?? []).ToDictionary(entry => (entry.Task, entry.Index));
        var material = new RulerMaterial(options.Validated().Material, options.Essays, cancellation);
        var items = new RulerItems(tokenizer, material, options.Length, options.Seed);
        items.RequireRoom(options.Chosen, cancellation);
        var (tasks, done) = (new List<(RulerTask Task, RulerTaskScore Score)>(), 0);
        foreach (var task in options.Chosen)
        {
            var (scores, tokens) = (new List<double>(), 0L);
            foreach (var item in items.Make(task, options.Samples, cancellation))
            {
                cancellation.ThrowIfCancellationRequested();
                var given = Answer(item, earlier.GetValueOrDefault((task.Name, item.Index)), answer, answered, cancellation);
                scores.Add(given.Score);
                tokens += item.Tokens;
                progress?.Report(++done);
            }
            tasks.Add(
                (
                    task,
                    new RulerTaskScore(
                        task.Name,
                        task.Category,
                        RulerScore.OfTask(scores),
                        scores.Count,
                        (double)tokens / scores.Count,
                        material.IsComparable(task)
                    )
                )
            );
        }

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

    private static RulerAnswer Answer(
        RulerItem item,
        RulerAnswer? earlier,
        Func<RulerItem, string> answer,
        Action<RulerAnswer>? answered,
        CancellationToken cancellation
    )
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(item.Context)));
        if (earlier is not null)
            return earlier.PromptSha256 == hash
                ? earlier
                : throw new InvalidDataException(
                    $"The known answer to {item.Task.Name} {item.Index} belongs to another text: length, seed, tokenizer or material "
                        + "differ. Write the answers to another file."
                );
        var prediction = answer(item);
        // An answer that was cut short by an interruption is none.
        cancellation.ThrowIfCancellationRequested();
        var given = new RulerAnswer(
            item.Task.Name,
            item.Index,
            hash,
            item.Tokens,
            prediction,
            item.Draft.References,
            RulerScore.Of(prediction, item.Draft.References, item.Task.Metric)
        );
        answered?.Invoke(given);
        return given;
    }
}
