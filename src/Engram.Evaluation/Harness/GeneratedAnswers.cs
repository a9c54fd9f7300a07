using System.Globalization;
using System.Text.RegularExpressions;
using Engram.Evaluation.Code;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Extraction;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Harness;

/// <summary>Finds and compares generated answers by the rules of a task.</summary>
internal sealed class GeneratedAnswers
{
    private readonly TaskFile _task;
    private readonly Sandbox? _sandbox;
    private readonly ExactMatch _match;
    private readonly (string Name, Func<string, string>[] Steps)[] _filters;

    /// <summary>Prepares the rules.</summary>
    /// <param name="task">A generation task.</param>
    /// <param name="sandbox">Runs generated code; null: none is run.</param>
    /// <exception cref="InvalidDataException">A filter or pattern of the task file is unknown.</exception>
    public GeneratedAnswers(TaskFile task, Sandbox? sandbox)
    {
        (_task, _sandbox) = (task, sandbox);
        var normalise = task.Match.Normalise is { } name ? ExtractionFilter.Find(name) : null;
        _match = new ExactMatch(task.Match.Ignore, task.Match.IgnoreCase, task.Match.IgnorePunctuation, normalise: normalise);
        _filters =
            task.Filters.Count == 0 ? [("", [])] : [.. task.Filters.Select(filter => (filter.Name, filter.Steps.Select(Step).ToArray()))];
    }

    /// <summary>
    /// Values of all metrics, the answer that the first filter found, and what became of the program that checks it, in one line; null if
    /// none was run.
    /// </summary>
    /// <param name="item">The item.</param>
    /// <param name="generated">What the model wrote.</param>
    /// <param name="cancellation">Ends a program that is running.</param>
    public (string Prediction, Dictionary<string, double> Values, string? Program) Score(
        TaskItem item,
        string generated,
        CancellationToken cancellation
    )
    {
        var (prediction, values, program) = ("", new Dictionary<string, double>(), (string?)null);
        for (var i = 0; i < _filters.Length; i++)
        {
            var answer = Found(i, item, generated);
            prediction = i == 0 ? answer : prediction;
            foreach (var metric in _task.Metrics)
                if (Value(metric, item, answer, ref program, cancellation) is { } value)
                    values[_filters.Length == 1 ? metric : $"{metric},{_filters[i].Name}"] = value;
        }
        return (prediction, values, program);
    }

    /// <summary>k of a metric pass@k; null for other metrics.</summary>
    public static int? PassOf(string metric) =>
        metric.StartsWith("pass@", StringComparison.Ordinal)
            ? int.TryParse(metric.AsSpan("pass@".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var k)
                ? k
                : 0
            : null;

    /// <summary>Values of all metrics from those of several answers: pass@k estimated, of others the mean.</summary>
    /// <param name="answers">Values of each answer, all of the same metrics.</param>
    public static Dictionary<string, double> Together(IReadOnlyList<Dictionary<string, double>> answers) =>
        answers[0]
            .Keys.ToDictionary(
                metric => metric,
                metric =>
                    PassOf(metric.Split(',')[0]) is { } k
                        ? PassAtK.Score(answers.Count, answers.Count(values => values[metric] >= 1), k)
                        : answers.Average(values => values[metric])
            );

    /// <summary>Names of the metrics as results call them: with the filter's name behind a comma where there are several.</summary>
    public static IReadOnlyList<string> MetricNames(TaskFile task) =>
        task.Filters.Count < 2
            ? task.Metrics
            : [.. task.Filters.SelectMany(filter => task.Metrics.Select(metric => $"{metric},{filter.Name}"))];

    private string Found(int filter, TaskItem item, string generated)
    {
        try
        {
            return _filters[filter].Steps.Aggregate(generated, (text, step) => step(text));
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new InvalidDataException(
                $"{item.Row.Place}: task {_task.Task}: the expression \"{error.Pattern}\" takes more than {error.MatchTimeout.TotalSeconds:N0} s to search what was generated. Make it simpler.",
                error
            );
        }
    }

    private double? Value(string metric, TaskItem item, string answer, ref string? program, CancellationToken cancellation)
    {
        var texts = item.References.Select(reference => reference[0]);
        return metric switch
        {
            "exact_match" => _task.Code is null ? _match.Score(answer, texts) : Program(item.Row, answer, ref program, cancellation),
            "contains" => Contains.Score(answer, texts),
            "f1_drop" => DropScore.Score([answer], item.References).F1,
            "em_drop" => DropScore.Score([answer], item.References).ExactMatch,
            "f1_squad" => SquadScore.Score(answer, [.. texts]).F1,
            "em_squad" => SquadScore.Score(answer, [.. texts]).ExactMatch,
            "math_equal" => texts.Any(text => MathText.AreEqual(answer, text)) ? 1 : 0,
            "cloze_equal" => texts.Any(text => MathText.AreEqualCloze(answer, text)) ? 1 : 0,
            "ruler_all" => RulerMatch.Score(answer, [.. texts], RulerMetric.All),
            "ruler_any" => RulerMatch.Score(answer, [.. texts], RulerMetric.Any),
            _ when PassOf(metric) is not null => Program(item.Row, answer, ref program, cancellation),
            _ => throw new InvalidDataException($"task {_task.Task}: no metric \"{metric}\" for generated answers."),
        };
    }

    /// <summary>Whether a program accepts the answer; null if no program may run and nothing else can tell.</summary>
    private double? Program(DatasetRow row, string answer, ref string? became, CancellationToken cancellation)
    {
        if (_task.Code == "cruxeval_output" && _sandbox is null)
            return PythonPrograms.CruxEvalOutputStatic(row.Text("output"), answer) == true ? 1 : 0;
        if (_sandbox is null)
            return null;
        var program = _task.Code switch
        {
            "humaneval" => PythonPrograms.HumanEval(row.Text("prompt"), answer, row.Text("test"), row.Text("entry_point")),
            "mbpp" => PythonPrograms.Mbpp(
                row.Values["test_setup_code"] is { } setup ? row.TextOf(setup, "test_setup_code") : "",
                answer,
                row.Texts("test_list")
            ),
            "cruxeval_input" => PythonPrograms.CruxEvalInput(row.Text("code"), answer, row.Text("output")),
            "cruxeval_output" => PythonPrograms.CruxEvalOutput(row.Text("code"), row.Text("output"), answer),
            var other => throw new InvalidDataException(
                $"task {_task.Task}: no program \"{other}\" checks answers; there are {string.Join(", ", PythonPrograms.Names)}."
            ),
        };
        var result = _sandbox.Run(program, cancellation: cancellation);
        became = result.Message;
        return result.Passed ? 1 : 0;
    }

    private Func<string, string> Step(string step)
    {
        if (!step.StartsWith('/'))
            return ExtractionFilter.Find(step);
        var (end, select) = (step.LastIndexOf('/'), 0);
        var number = step.AsSpan(end + 1);
        return end > 0 && (number.IsEmpty || int.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out select))
            ? ExtractionFilter.Match(step[1..end], select)
            : throw new InvalidDataException(
                $"task {_task.Task}: filter \"{step}\" is no regular expression between slashes, perhaps with a number behind."
            );
    }
}
