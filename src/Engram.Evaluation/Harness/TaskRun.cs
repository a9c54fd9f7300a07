using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Engram.Evaluation.Scoring;

namespace Engram.Evaluation.Harness;

/// <summary>One task on its way to its samples: what a file of samples holds is taken from it, the rest is asked.</summary>
/// <param name="source">The task.</param>
/// <param name="scorer">Of the model and its memory.</param>
/// <param name="progress">Hears of scored items.</param>
internal sealed class TaskRun(TaskSource source, Scorer scorer, IProgress<EvaluationProgress>? progress)
{
    // Requests of so many items are encoded at a time: enough to share prefixes, few enough for their ids to stay small.
    private const int ItemsAtOnce = 256;

    private readonly TaskFile _task = source.Task;
    private readonly EvaluationOptions _options = source.Options;
    private readonly Stopwatch _scoring = new(); // runs only while the model reads
    private int _scored;
    private int _toScore;

    /// <summary>Tokens of the requests that were asked.</summary>
    public long Tokens { get; private set; }

    /// <summary>Tokens that the model has read for them.</summary>
    public long TokensRead { get; private set; }

    /// <summary>Tokens of the longest text that it has read.</summary>
    public int Longest { get; private set; }

    /// <summary>Time that the whole task took.</summary>
    public TimeSpan Elapsed { get; private set; }

    /// <summary>How many rows each part of the task has (<see cref="TaskItems.Parts"/>).</summary>
    public IReadOnlyDictionary<string, int> Parts { get; private set; } = new Dictionary<string, int>();

    /// <summary>Asks the items of the task and returns their samples, in the order of the rows.</summary>
    public TaskSample[] Run(CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var items = source.Read(cancellation);
        Parts = items.Parts;
        var wanted = items.Wanted(_options.Limit);
        var (count, key) = (wanted.Length, Key());
        var scoring = new ItemScoring(
            _task,
            _task.Kind == TaskKind.Generate ? new GeneratedAnswers(_task, _options.Sandbox) : null,
            Blank(key),
            scorer.Tokenizer,
            _options.Prompts
        );
        var samples = new TaskSample[count];
        _toScore = wanted.Count(row => _options.Samples?.Holds(key, _task.Task, row) is not true);
        for (var first = 0; first < count; first += ItemsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            var open = new List<(int At, TaskItem Item, string Sha256, int Request)>();
            var requests = new List<ScoringRequest>();
            for (var i = first; i < Math.Min(count, first + ItemsAtOnce); i++)
            {
                var item = items[wanted[i]];
                var sha256 = ItemScoring.HashOf(item);
                if (_options.Samples?.Take(key, _task.Task, item.Index, sha256) is { } known)
                {
                    samples[i] = known with { Model = _options.Model, ShotsKept = known.ShotsKept ?? scoring.ShotsKept(item, known.Lost) };
                    continue;
                }
                open.Add((i, item, sha256, requests.Count));
                requests.AddRange(item.Requests);
            }
            Ask(open, requests, samples, scoring, cancellation);
        }
        Elapsed = clock.Elapsed;
        return samples;
    }

    /// <summary>Asks for some items and completes each as soon as its last answer is there.</summary>
    private void Ask(
        List<(int At, TaskItem Item, string Sha256, int Request)> open,
        List<ScoringRequest> requests,
        TaskSample[] samples,
        ItemScoring scoring,
        CancellationToken cancellation
    )
    {
        var owner = new int[requests.Count];
        var left = new int[open.Count];
        for (var i = 0; i < open.Count; i++)
        {
            left[i] = open[i].Item.Requests.Count;
            Array.Fill(owner, i, open[i].Request, left[i]);
        }
        var answers = new ScoringAnswer[requests.Count];
        var (done, before, last) = (samples.Count(sample => sample is not null), Tokens, default(ScoringProgress));
        _scoring.Start();
        try
        {
            scorer.Answer(
                requests,
                new Latest(report =>
                {
                    last = report;
                    progress?.Report(
                        new EvaluationProgress(
                            _task.Task,
                            done,
                            samples.Length,
                            (before + report.Tokens) / Math.Max(1e-9, _scoring.Elapsed.TotalSeconds),
                            RemainingTime.Of(_scored, Math.Max(_scored, _toScore), _scoring.Elapsed)
                        )
                    );
                }),
                (request, answer) =>
                {
                    answers[request] = answer;
                    var i = owner[request];
                    if (--left[i] > 0)
                        return;
                    var (at, item, sha256, from) = open[i];
                    var sample = scoring.Score(item, sha256, answers.AsSpan(from, item.Requests.Count), cancellation);
                    samples[at] = sample;
                    _options.Samples?.Append(sample);
                    done++;
                    _scored++;
                },
                cancellation
            );
        }
        catch (UnscorableRequestException error)
        {
            throw new InvalidDataException($"{open[owner[error.Request]].Item.Row.Place}: {error.Message} Mend or delete the row.", error);
        }
        finally
        {
            _scoring.Stop();
        }
        Tokens += last.Tokens;
        TokensRead += last.TokensRead;
        Longest = Math.Max(Longest, last.Longest);
    }

    /// <summary>What all samples of the run have in common.</summary>
    private TaskSample Blank(string key) =>
        new()
        {
            Task = _task.Task,
            Index = 0,
            PromptSha256 = "",
            Values = new Dictionary<string, double>(),
            Place = "",
            Model = _options.Model,
            Memory = _options.Memory,
            MemorySeed = _options.MemorySeed,
            Suppressed = _options.Suppression?.ToString(),
            Control = _options.Control.ToString().ToLowerInvariant(),
            Shots = 0,
            Key = key,
        };

    /// <summary>What a sample follows from beside its prompt.</summary>
    private string Key()
    {
        object?[] decisive =
        [
            JsonSerializer.Serialize(_task, TaskJson.Default.TaskFile),
            _options.ModelIdentity.Length > 0 ? _options.ModelIdentity : _options.Model,
            _options.Memory,
            _options.Suppression,
            _options.Suppression?.Replacement,
            _options.Control,
            _options.MaxLength,
            _options.Sandbox is not null,
        ];
        // Samples from before there was a choice of seeds have that of null.
        return Hash(string.Join('\n', _options.MemorySeed is { } seed ? [.. decisive, seed] : decisive));
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];

    private sealed class Latest(Action<ScoringProgress> take) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => take(value);
    }
}
