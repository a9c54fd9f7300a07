using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Engram.Evaluation.Datasets;

namespace Engram.Evaluation.Harness;

/// <summary>How a task is scored.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TaskKind>))]
public enum TaskKind
{
    /// <summary>The options of a question are continuations of one prompt; the model prefers one of them.</summary>
    [JsonStringEnumMemberName("choice")]
    Choice,

    /// <summary>The options complete the prompt, and one continuation follows them all (WinoGrande).</summary>
    [JsonStringEnumMemberName("prefix")]
    Prefix,

    /// <summary>The model writes an answer, which is compared.</summary>
    [JsonStringEnumMemberName("generate")]
    Generate,

    /// <summary>Every token of a text is predicted.</summary>
    [JsonStringEnumMemberName("rolling")]
    Rolling,

    /// <summary>Other tasks together.</summary>
    [JsonStringEnumMemberName("group")]
    Group,
}

/// <summary>
/// A task as data: one JSON file of snake_case keys. Templates are Liquid (Fluid) over the columns of a row, which stand by their names.
/// docs/task-files.md explains every key by an example.
/// </summary>
public sealed record TaskFile
{
    /// <summary>The path that the task was read from, as it was given; of a task of the program or one made in code null.</summary>
    [JsonIgnore]
    public string? File { get; init; }

    /// <summary>Whether the task comes with the program.</summary>
    [JsonIgnore]
    public bool BuiltIn { get; init; }

    /// <summary>Name, as <c>--tasks</c> takes it.</summary>
    public required string Task { get; init; }

    /// <summary>Raised whenever scores change: prompts, splits, rules.</summary>
    public required int Version { get; init; }

    /// <summary>One sentence: what is asked, and whose rules these are.</summary>
    public required string Description { get; init; }

    /// <summary>How it is scored.</summary>
    public required TaskKind Kind { get; init; }

    /// <summary>Where the questions are: the first of these that is there. Empty for a group.</summary>
    public IReadOnlyList<TaskData> Data { get; init; } = [];

    /// <summary>Of a group: the names of its tasks, whose first metrics make its score.</summary>
    public IReadOnlyList<string> Tasks { get; init; } = [];

    /// <summary>Of a group: whether items count alike (micro), or else tasks (macro).</summary>
    public bool WeightBySize { get; init; } = true;

    /// <summary>
    /// Column by which questions fall into subtasks (MMLU's subjects); examples then come from the same one. Null: the task has no parts.
    /// </summary>
    public string? Subtask { get; init; }

    /// <summary>Column of the options of a question: a list of texts.</summary>
    public string Options { get; init; } = "choices";

    /// <summary>
    /// Column of the right option: its index from 0, its text, or its letter (A, B, …); or a list of such, of which any counts.
    /// </summary>
    public string Gold { get; init; } = "gold";

    /// <summary>
    /// Whether options may be empty, as some published rows have them: they are scored as the delimiter alone, which is what
    /// lm-evaluation-harness does. Elsewhere a row with an empty option is refused.
    /// </summary>
    public bool EmptyOptions { get; init; }

    /// <summary>
    /// A column whose value (of a list, the last one) items have in common that are not independent, such as questions about one fact:
    /// standard errors are then over these values. An empty list leaves an item alone. Null: items are independent.
    /// </summary>
    public string? Cluster { get; init; }

    /// <summary>Examples before a question; null for none.</summary>
    public FewShot? FewShot { get; init; }

    /// <summary>Template before everything else, rendered for the question; "" for none.</summary>
    public string Instruction { get; init; } = "";

    /// <summary>
    /// Template of a question. Of a prefix task: with <c>{{ choice }}</c> where the option stands. Of a rolling task: the text.
    /// </summary>
    public string Prompt { get; init; } = "";

    /// <summary>
    /// Template of an option, with <c>{{ choice }}</c> and <c>{{ letter }}</c> (A, B, …).
    /// </summary>
    public string Choice { get; init; } = "{{ choice }}";

    /// <summary>
    /// Template of the right answer behind an example's prompt; of a prefix task, the common continuation. Null: the right option.
    /// </summary>
    public string? Target { get; init; }

    /// <summary>What stands between a prompt and its answer.</summary>
    public string TargetDelimiter { get; init; } = " ";

    /// <summary>What stands between two examples, and between the last one and the question.</summary>
    public string FewShotDelimiter { get; init; } = "\n\n";

    /// <summary>
    /// What is measured: acc, acc_norm, acc_bytes, acc_tok, acc_uncond, prefix_ppl, greedy; exact_match, contains, f1_drop, em_drop,
    /// f1_squad, em_squad, math_equal, ruler_all, ruler_any, pass@k for any k (pass@1); loss, word_perplexity, byte_perplexity,
    /// bits_per_byte. The first is the headline.
    /// </summary>
    public IReadOnlyList<string> Metrics { get; init; } = [];

    /// <summary>Prompt of acc_uncond.</summary>
    public string NeutralPrompt { get; init; } = "Answer:";

    /// <summary>
    /// Column of right answers of a generation task: a text or a list of which any counts. drop: a list of lists of spans.
    /// </summary>
    public string References { get; init; } = "answers";

    /// <summary>A generated answer ends before these.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>A generated answer ends after so many tokens.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>How many answers are generated to an item; pass@k is estimated from them, of other metrics it is the mean.</summary>
    public int Repeats { get; init; } = 1;

    /// <summary>Temperature of generation; 0 takes the likeliest token.</summary>
    public double Temperature { get; init; }

    /// <summary>Column of worked examples that a question brings along in its own prompt: a list, or one text; null for none.</summary>
    public string? Worked { get; init; }

    /// <summary>How many of these a question is to bring along: what results call the shots asked for.</summary>
    public int WorkedCount { get; init; }

    /// <summary>
    /// Ways to find the answer in what was generated, each a metric of its own; the first is the headline. Empty: the text itself.
    /// </summary>
    public IReadOnlyList<AnswerFilter> Filters { get; init; } = [];

    /// <summary>How exact_match compares.</summary>
    public MatchRules Match { get; init; } = new();

    /// <summary>
    /// How code is checked (humaneval, mbpp, cruxeval_input, cruxeval_output); it runs only with <c>--run-code</c>. Null for tasks without.
    /// </summary>
    public string? Code { get; init; }

    /// <summary>Columns that hold the question itself, which <c>--control stem</c> takes from another item.</summary>
    public IReadOnlyList<string> Stem { get; init; } = [];

    /// <summary>Columns that hold what the question is about, which <c>--control context</c> takes from another item.</summary>
    public IReadOnlyList<string> Context { get; init; } = [];

    /// <summary>Scores that were published, by model; null for none.</summary>
    public PublishedScores? Published { get; init; }
}

/// <summary>Where rows come from.</summary>
public sealed record TaskData
{
    /// <summary>
    /// Paths below the data root, "*" and "**" allowed (<see cref="DatasetFiles.Find"/>); rows of all files that are found, each pattern's
    /// in order
    /// of their names. Every pattern must be found.
    /// </summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>
    /// In place of files: OWNER/NAME of a data set of the Hugging Face hub whose snapshot lies below the data root (<see
    /// cref="DatasetFiles.FindSnapshot"/>).
    /// </summary>
    public string? Hub { get; init; }

    /// <summary>Configuration of the hub's data set; "*" for all; null where it has none.</summary>
    public string? Configuration { get; init; }

    /// <summary>Split of the hub's data set.</summary>
    public string Split { get; init; } = "test";

    /// <summary>Where in a JSON file the rows stand (<see cref="DatasetFormat.Rows"/>); null: the file is a list.</summary>
    public string? Rows { get; init; }

    /// <summary>Column names of a CSV or TSV file without a header.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>Encoding of a file that is not UTF-8.</summary>
    public string? OtherEncoding { get; init; }

    /// <summary>
    /// Whether these are other rows than those that scores were published for: another split, a few rows, another data set in the same
    /// layout. No published score stands beside theirs.
    /// </summary>
    public bool StandIn { get; init; }

    /// <summary>Names of transformations of the rows, in order.</summary>
    public IReadOnlyList<string> Transforms { get; init; } = [];

    /// <summary>What to do where rows do not fit, as the end of a message; null: that of rows of a published data set.</summary>
    [JsonIgnore]
    public string? Remedy { get; init; }
}

/// <summary>Examples before a question.</summary>
public sealed record FewShot
{
    /// <summary>How many, where <c>--shots</c> does not say.</summary>
    public required int Count { get; init; }

    /// <summary>Where they come from: the first n rows that are not the question itself. Empty: from the questions.</summary>
    public IReadOnlyList<TaskData> Data { get; init; } = [];

    /// <summary>Fixed examples instead, as rows.</summary>
    public IReadOnlyList<JsonObject>? Items { get; init; }

    /// <summary>Template of an example's prompt where it differs from a question's.</summary>
    public string? Prompt { get; init; }
}

/// <summary>How an answer is found in a generated text.</summary>
/// <param name="Name">What its score is called: strict, flexible.</param>
/// <param name="Steps">
/// Names of filters, or regular expressions between slashes ("/answer is (.*)/"), in order; "/…/-1" takes the last match.
/// </param>
public sealed record AnswerFilter(string Name, IReadOnlyList<string> Steps);

/// <summary>How texts are compared for equality.</summary>
public sealed record MatchRules
{
    /// <summary>Regular expressions deleted from both first.</summary>
    public IReadOnlyList<string> Ignore { get; init; } = [];

    /// <summary>Lower case.</summary>
    public bool IgnoreCase { get; init; }

    /// <summary>Without ASCII punctuation.</summary>
    public bool IgnorePunctuation { get; init; }

    /// <summary>Name of a filter that rewrites both last.</summary>
    public string? Normalise { get; init; }
}

/// <summary>Scores of the paper's Table 1, in per cent unless it is a loss.</summary>
/// <param name="Source">Where they are printed.</param>
/// <param name="Metric">What the source calls the measure.</param>
/// <param name="Shots">Its number of examples; null where it has none.</param>
/// <param name="Scores">By model.</param>
/// <param name="Items">How many items the published set has, of which the data at hand may be a part; null where that is not known.</param>
public sealed record PublishedScores(
    string Source,
    string Metric,
    int? Shots,
    IReadOnlyDictionary<string, double> Scores,
    int? Items = null
);
