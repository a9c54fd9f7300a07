using System.Globalization;
using System.Text.Json.Nodes;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Scoring;

namespace Engram.Evaluation.Harness;

/// <summary>
/// Turns rows into items by lm-evaluation-harness's rules: instruction, worked examples and the question, with the delimiters between them;
/// the examples are the first n that are not the tested item, and of its subtask.
/// </summary>
internal sealed class TaskQuestions
{
    private readonly TaskFile _task;
    private readonly int _shots;
    private readonly bool _unconditional;
    private readonly TaskTemplates _templates;
    private readonly string[] _stop;
    private readonly DatasetRow[] _shotRows;
    private readonly string[] _shotKeys;
    private readonly string?[] _shotTexts;

    /// <summary>Prepares a task.</summary>
    /// <param name="task">Not a group.</param>
    /// <param name="shots">Worked examples before an item.</param>
    /// <param name="shotRows">Where they come from.</param>
    public TaskQuestions(TaskFile task, int shots, IReadOnlyList<DatasetRow> shotRows)
    {
        (_task, _shots) = (task, shots);
        _templates = TaskTemplates.Of(task, $"task {task.Task}");
        _stop = task.Stop.Count > 0 ? [.. task.Stop] : [task.FewShotDelimiter];
        _unconditional = task.Metrics.Contains("acc_uncond");
        // Fixed examples stand in the task file, whatever the data are.
        var remedy = task.FewShot?.Items is null ? null : TaskRows.RemedyOf(task, new TaskData());
        _shotRows = shots > 0 ? [.. shotRows.Select(row => remedy is null ? row : row with { Remedy = remedy })] : [];
        _shotKeys = [.. _shotRows.Select(KeyOf)];
        _shotTexts = new string?[_shotRows.Length];
    }

    /// <summary>The item of a row.</summary>
    /// <param name="index">Its number.</param>
    /// <param name="row">As it is asked.</param>
    /// <param name="original">As it stands in the file: what is no example of itself.</param>
    /// <exception cref="InvalidDataException">A column is missing or does not fit; the message names file and row.</exception>
    public TaskItem Item(int index, DatasetRow row, DatasetRow original)
    {
        var examples = Examples(original);
        var shots = examples.Count + Worked(row);
        var before = _templates.Instruction.Render(row.Values, row.Place);
        var starts = new int[examples.Count + 1];
        for (var i = 0; i < examples.Count; i++)
        {
            starts[i] = before.Length;
            before += examples[i] + _task.FewShotDelimiter;
        }
        starts[^1] = before.Length;
        if (_task.Kind == TaskKind.Rolling)
        {
            var text = _templates.Prompt.Render(row.Values, row.Place);
            return text.Length > 0
                ? new TaskItem(index, row, text, [], [], [], shots, starts, [new RollingRequest(text)])
                : throw new InvalidDataException($"{row.Place}: an empty text has no tokens to predict. Delete the row.");
        }

        if (_task.Kind == TaskKind.Generate)
        {
            var prompt = before + _templates.Prompt.Render(row.Values, row.Place);
            var references = _task.Code is null ? References(row) : [];
            var generations = Enumerable
                .Range(0, _task.Repeats)
                .Select(i => new GenerationRequest(prompt, _stop, _task.MaxNewTokens, _task.Temperature, index * _task.Repeats + i));
            return new TaskItem(index, row, prompt, [], [], references, shots, starts, [.. generations]);
        }

        var (options, golds) = (Options(row), Golds(row));
        if (_task.Kind == TaskKind.Choice)
        {
            var prompt = before + _templates.Prompt.Render(row.Values, row.Place);
            var requests = options.Select(option => (ScoringRequest)new LikelihoodRequest(prompt, _task.TargetDelimiter + option));
            if (_unconditional)
                requests = requests.Concat(
                    options.Select(option => new LikelihoodRequest(_task.NeutralPrompt, _task.TargetDelimiter + option))
                );
            return new TaskItem(index, row, prompt, options, golds, [], shots, starts, [.. requests]);
        }

        var completion = _task.TargetDelimiter + TargetOf(row, golds);
        string[] prompts =
        [
            .. row.Texts(_task.Options).Select(choice => before + _templates.Prompt.Render(row.Values, row.Place, ("choice", choice))),
        ];
        ScoringRequest[] asked = [.. prompts.Select(prompt => new LikelihoodRequest(prompt, completion))];
        return new TaskItem(index, row, string.Join('\n', prompts), options, golds, [], shots, starts, asked);
    }

    private List<string> Examples(DatasetRow item)
    {
        if (_shots == 0)
            return [];
        var (key, subtask, found) = (KeyOf(item), Subtask(item), new List<string>());
        for (var i = 0; i < _shotRows.Length && found.Count < _shots; i++)
            if (_shotKeys[i] != key && (subtask is null || Subtask(_shotRows[i]) is not { } other || other == subtask))
                found.Add(_shotTexts[i] ??= Example(_shotRows[i]));
        return found;
    }

    /// <summary>Worked examples that the question itself brings along: items of a list, or one that is no empty text.</summary>
    private int Worked(DatasetRow row) =>
        _task.Worked is not { } column ? 0
        : row.Value(column) is JsonArray list ? list.Count
        : row.Text(column).Length > 0 ? 1
        : 0;

    private string Example(DatasetRow row)
    {
        if (_task.Kind == TaskKind.Generate)
            return _templates.ShotPrompt.Render(row.Values, row.Place) + _task.TargetDelimiter + TargetOf(row, []);
        var golds = Golds(row);
        var prompt =
            _task.Kind == TaskKind.Prefix
                ? _templates.ShotPrompt.Render(row.Values, row.Place, ("choice", row.Texts(_task.Options)[golds[0]]))
                : _templates.ShotPrompt.Render(row.Values, row.Place);
        return prompt + _task.TargetDelimiter + TargetOf(row, golds);
    }

    private string TargetOf(DatasetRow row, IReadOnlyList<int> golds) =>
        _templates.Target is { } target ? target.Render(row.Values, row.Place)
        : golds.Count > 0 ? Options(row)[golds[0]]
        : References(row)[0][0];

    private string[] Options(DatasetRow row)
    {
        var options = row.Texts(_task.Options)
            .Select(
                (choice, i) => _templates.Choice.Render(row.Values, row.Place, ("choice", choice), ("letter", ((char)('A' + i)).ToString()))
            )
            .ToArray();
        if (options.Length == 0)
            throw new InvalidDataException($"{row.Place}: no options. Mend or delete the row.");
        return !_task.EmptyOptions && Array.IndexOf(options, "") is var empty and >= 0
            ? throw new InvalidDataException($"{row.Place}: option {empty} (counted from 0) is empty. Mend or delete the row.")
            : options;
    }

    /// <summary>Indices of the right options. They may stand in the row as the option's own text, as a letter or as a number.</summary>
    private int[] Golds(DatasetRow row)
    {
        var (gold, choices) = (row.Value(_task.Gold), row.Texts(_task.Options));
        int[] golds = gold is JsonArray list ? [.. list.Select(one => IndexOf(one, choices, row))] : [IndexOf(gold, choices, row)];
        return golds.Length > 0 && golds.All(one => one >= 0 && one < choices.Count)
            ? golds
            : throw new InvalidDataException(
                $"{row.Place}: the right option {gold.ToJsonString()} is outside the list of {choices.Count} options (counted from 0). Mend or delete the row."
            );
    }

    private int IndexOf(JsonNode? gold, IReadOnlyList<string> choices, DatasetRow row)
    {
        if (gold is JsonValue number && int.TryParse(number.ToJsonString(), CultureInfo.InvariantCulture, out var index))
            return index;
        if (gold is not JsonValue value || !value.TryGetValue<string>(out var text))
            throw new InvalidDataException($"{row.Place}: column \"{_task.Gold}\" is no index. Mend or delete the row.");
        int[] equal = [.. Enumerable.Range(0, choices.Count).Where(i => choices[i] == text)];
        if (equal.Length > 1)
            throw new InvalidDataException($"{row.Place}: options {equal[0]} and {equal[1]} are both \"{text}\". Mend or delete the row.");
        return equal.Length == 1 ? equal[0]
            : text is [>= 'A' and <= 'Z' and var letter] ? letter - 'A'
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out index) ? index
            : throw new InvalidDataException(
                $"{row.Place}: column \"{_task.Gold}\" holds \"{text}\", which is no option of the row, no letter and no index. Mend the row, or name another column as gold."
            );
    }

    private IReadOnlyList<IReadOnlyList<string>> References(DatasetRow row)
    {
        var column = _task.References;
        string[] One(JsonNode? answer) =>
            answer is JsonArray spans ? [.. spans.Select(span => row.TextOf(span, column))] : [row.TextOf(answer, column)];
        string[][] references = row.Value(column) is JsonArray list
            ? [.. list.Select(One)]
            :
            [
                [row.Text(column)],
            ];
        return references.Length > 0 && references.All(reference => reference.Length > 0)
            ? references
            : throw new InvalidDataException($"{row.Place}: column \"{column}\" holds no right answer. Mend or delete the row.");
    }

    private string? Subtask(DatasetRow row) => _task.Subtask is { } column ? row.Values[column]?.ToString() : null;

    /// <summary>What tells rows apart, wherever they stand.</summary>
    private static string KeyOf(DatasetRow row) =>
        string.Join(
            '\u001f',
            row.Values.Where(column => column.Key is not ("_file" or "_key"))
                .Select(column => $"{column.Key}\u001e{column.Value?.ToJsonString()}")
        );
}
