using Engram.Evaluation.LongPpl;
using Engram.Evaluation.Ruler;
using Engram.Studies.Planning;

namespace Engram.Studies.Measures;

/// <summary>What a model with an extended context makes of long texts (Engram paper, section 5, Table 2).</summary>
internal static class LongContext
{
    /// <summary>The row of RULER that comes last.</summary>
    public const string LastOfRuler = "ruler_mean";

    /// <summary>The row of LongPPL that comes last: how many tokens are key.</summary>
    public const string LastOfKeys = "longppl_key_tokens";

    // The tasks that fit into 512 tokens of a small vocabulary; lists of words and chains of variables are longer without any haystack.
    private static readonly string[] Tasks =
    [
        "niah_single_1",
        "niah_single_2",
        "niah_single_3",
        "niah_multikey_1",
        "niah_multikey_2",
        "niah_multikey_3",
        "niah_multivalue",
        "niah_multiquery",
        "qa_1",
        "qa_2",
    ];

    private const int SamplesOfATask = 4,
        ShortestSample = 512,
        Texts = 64,
        StridesOfAWindow = 4;

    /// <summary>
    /// The run that says how long the texts are: the study's reference, whose context was extended. Null where a setting has none.
    /// </summary>
    public static PlannedRun? Extended(PlannedRun run) => (run.Reference ?? run) is { IsExtended: true } extended ? extended : null;

    /// <summary>Whether a model was extended, or, as its control, trained as much longer.</summary>
    public static bool WasTrainedFurther(PlannedRun run) => run.Start is not null && Extended(run) is not null;

    /// <summary>Whether the texts are long enough for the tasks as well.</summary>
    public static bool HoldsRuler(PlannedRun run) => WasTrainedFurther(run) && Extended(run)!.Options.Length >= ShortestSample;

    /// <summary>A row for each category of RULER at the extended length, and the mean over the tasks, in percent.</summary>
    public static IEnumerable<(string Measure, double Value)> Ruler(MeasuredRun run, CancellationToken cancellation)
    {
        var report = RulerEvaluation.Run(
            run.Scored,
            run.Scored.Memory,
            new RulerOptions
            {
                Length = Extended(run.Run)!.Options.Length,
                Samples = SamplesOfATask,
                Tasks = Tasks,
            },
            cancellation: cancellation
        );
        return
        [
            .. report.Categories.Select(category => ($"ruler_{category.Category.ToLowerInvariant()}", category.Score)),
            (LastOfRuler, report.Average),
        ];
    }

    /// <summary>
    /// Perplexity over all tokens of long validation texts and over key tokens, which the study's reference finds: those that it foresees
    /// with the whole text and not with as much of it as fitted into the context before the extension. Without a key token the perplexity
    /// over them is left out.
    /// </summary>
    public static IEnumerable<(string Measure, double Value)> KeyPerplexity(MeasuredRun run, CancellationToken cancellation)
    {
        var length = Extended(run.Run)!.Start!.Options.Length;
        var window = new KeyWindow(length, length / StridesOfAWindow);
        List<LongText> texts = [];
        foreach (var (text, number) in LongTexts(run).Select((text, number) => (text, number)))
        {
            var keys = LongPerplexity.KeyIntervals(run.Reference, text, run.Reference.Memory, window, cancellation);
            texts.Add(LongPerplexity.Measure(run.Model, $"text {number}", text, keys, run.Model.Memory, cancellation));
        }
        if (LongPerplexity.OfKeys(texts) is { } perplexity)
            yield return ("longppl", perplexity);
        yield return ("longppl_all_tokens", LongPerplexity.OfAll(texts));
        yield return (LastOfKeys, texts.Sum(text => text.KeyTokens));
    }

    // A token stands before each of them, and their first and last characters may be parts of one.
    private static IEnumerable<string> LongTexts(MeasuredRun run)
    {
        var ids = new int[Extended(run.Run)!.Options.Length - StridesOfAWindow];
        var (stream, end) = (run.Corpus.Validation, run.Corpus.Summary.EndOfTextId);
        var places = (int)Math.Min(Texts, stream.Count / ids.Length);
        for (var i = 0; i < places; i++)
        {
            stream.CopyTo((stream.Count - ids.Length) * i / Math.Max(1, places - 1), ids);
            // One document: what follows another one's end, or what stands before it where that is longer.
            var cut = Array.IndexOf(ids, end);
            var part =
                cut < 0 ? ids
                : cut >= ids.Length - cut ? ids[..cut]
                : ids[(cut + 1)..];
            if (!part.Contains(end))
                yield return LongPerplexity.Cut(run.Corpus.Tokenizer, run.Corpus.Tokenizer.Decode(part).Trim('\uFFFD'), ids.Length);
        }
    }
}
