using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Engram.Studies.Definitions;

/// <summary>
/// An experiment as data, one file <c>Library/NAME.json</c> of the source: what is asked, which models are trained on what, what is held
/// equal, what is measured, and
/// which figures answer. Everything that decides about a number is here or in <see cref="StudySize"/>.
/// </summary>
public sealed partial record Study
{
    /// <summary>As in commands, folders and rows.</summary>
    public required string Name { get; init; }

    /// <summary>Above its report.</summary>
    public required string Title { get; init; }

    /// <summary>What is asked, one sentence.</summary>
    public required string Question { get; init; }

    /// <summary>What the paper says, with its section.</summary>
    public required string Paper { get; init; }

    /// <summary>What is expected here before anything has been run.</summary>
    public required string Prediction { get; init; }

    /// <summary>The figure that would refute the prediction.</summary>
    public required string Refutation { get; init; }

    /// <summary>Keys of <c>config.json</c> that every arm has; an arm's own changes come after them.</summary>
    public JsonObject Changes { get; init; } = [];

    /// <summary>The models.</summary>
    public required IReadOnlyList<StudyArm> Arms { get; init; }

    /// <summary>What is claimed to be equal, and checked before anything runs.</summary>
    public IReadOnlyList<Equality> Equal { get; init; } = [];

    /// <summary>What is measured of a trained model besides its losses: names of measures.</summary>
    public IReadOnlyList<string> Measures { get; init; } = [];

    /// <summary>What the report shows of the models of a setting's first seed besides numbers: names of exhibits.</summary>
    public IReadOnlyList<string> Exhibits { get; init; } = [];

    /// <summary>
    /// The arm whose model, of the same setting and seed, measures that compare two models put beside every other one; null where none
    /// does.
    /// </summary>
    public string? Reference { get; init; }

    /// <summary>Where, on how much and with which seeds it is trained at each size.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<StudySetting>> Sizes { get; init; }

    /// <summary>Differences between arms that the report lists, paired by seed.</summary>
    public IReadOnlyList<Difference> Differences { get; init; } = [];

    /// <summary>What a verdict is given about.</summary>
    public IReadOnlyList<StudyClaim> Claims { get; init; } = [];

    /// <summary>What is drawn.</summary>
    public IReadOnlyList<ChartDefinition> Charts { get; init; } = [];

    /// <summary>What the reader must know before believing a number.</summary>
    public IReadOnlyList<string> Cautions { get; init; } = [];

    /// <summary>Returns this instance, or throws naming what is wrong with it.</summary>
    /// <param name="source">Where it comes from, for the message.</param>
    /// <exception cref="InvalidDataException">
    /// A name cannot be one of a folder, a setting has a seed twice or no training, or names of arms or settings repeat.
    /// </exception>
    public Study Validated(string source)
    {
        foreach (
            var name in Arms.Select(arm => arm.Name)
                .Concat(Sizes.Values.SelectMany(settings => settings.Select(setting => setting.Name)))
                .Prepend(Name)
        )
            if (!NamePattern().IsMatch(name))
                throw Bad($"'{name}' is no name: use letters, digits, points and hyphens, a letter or digit first");
        if (Arms.GroupBy(arm => arm.Name).FirstOrDefault(arms => arms.Count() > 1) is { } twice)
            throw Bad($"there are two arms {twice.Key}");
        foreach (var (size, settings) in Sizes)
        {
            if (settings.GroupBy(setting => setting.Name).FirstOrDefault(same => same.Count() > 1) is { } repeated)
                throw Bad($"size {size} has two settings {repeated.Key}");
            foreach (var setting in settings)
                if (setting.Seeds.Count == 0 || setting.Seeds.Distinct().Count() < setting.Seeds.Count)
                    throw Bad(
                        $"{setting.Name} of size {size} has the seeds {string.Join(", ", setting.Seeds)}: give at least one, and each once"
                    );
                else if (setting.Tokens < 1)
                    throw Bad($"{setting.Name} of size {size} has {setting.Tokens} tokens: give at least one update's");
        }
        return this;

        InvalidDataException Bad(string why) => new($"{source}: the study {Name}: {why}.");
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9.-]*$")]
    private static partial Regex NamePattern();
}

/// <summary>One model of a study: one of the size's bases, and changes.</summary>
public sealed record StudyArm
{
    /// <summary>As in rows and tables.</summary>
    public required string Name { get; init; }

    /// <summary>Which of the size's models it starts from: dense, moe or engram; or a preset, which no size changes.</summary>
    public required string Base { get; init; }

    /// <summary>What it is, a few words.</summary>
    public required string Description { get; init; }

    /// <summary>The line of a chart that it is a point of.</summary>
    public string Series { get; init; } = "";

    /// <summary>Keys of <c>config.json</c>; the memory's have their prefix <c>engram_</c>, null removes a key.</summary>
    public JsonObject Changes { get; init; } = [];

    /// <summary>Keys of the recipe.</summary>
    public JsonObject Training { get; init; } = [];

    /// <summary>Tokens of its training as a share of the setting's.</summary>
    public double TokenShare { get; init; } = 1;

    /// <summary>
    /// The arm whose finished model it goes on from, with a longer context or as before; null begins with starting values. Base, changes
    /// and equalities are then that arm's.
    /// </summary>
    public ArmExtension? Extends { get; init; }

    /// <summary>
    /// Share of the inactive routed experts of the size's <c>moe</c> that it keeps, 0 … 1; null keeps what base and changes say.
    /// </summary>
    public double? Rho { get; init; }

    /// <summary>Factor on the slots of the base.</summary>
    public double? Slots { get; init; }

    /// <summary>The arm whose table values it gets through the slots of its own tables.</summary>
    public string? EqualMemory { get; init; }

    /// <summary>
    /// The arm whose active parameters it gets through the width of its shared expert, or of its feed-forward part when it is dense.
    /// </summary>
    public string? EqualActive { get; init; }

    /// <summary>The arm whose total it gets through the slots of its tables, or through routed experts where it has none.</summary>
    public string? EqualTotal { get; init; }
}

/// <summary>
/// Training further: with a longer context, extended by YaRN as the paper does (section 5.1), or, its control, at the old length.
/// </summary>
/// <param name="Arm">The arm whose model it begins with; it takes part in the same settings.</param>
/// <param name="Factor">
/// Tokens of a sequence as a multiple of those before; as many fewer sequences make an update. 1 leaves the context as it is.
/// </param>
/// <param name="TokenShare">Tokens of the extension as a share of the setting's.</param>
/// <param name="LearningRate">Its rate.</param>
public sealed record ArmExtension(string Arm, int Factor, double TokenShare, double LearningRate);

/// <summary>Where, on how much and with which seeds arms are trained.</summary>
public sealed record StudySetting
{
    /// <summary>Before the slash in the arm of a row; unique in its study and size.</summary>
    public required string Name { get; init; }

    /// <summary>One of the size's corpora.</summary>
    public required string Corpus { get; init; }

    /// <summary>Training tokens of each run.</summary>
    public required long Tokens { get; init; }

    /// <summary>One run of every arm for each.</summary>
    public required IReadOnlyList<long> Seeds { get; init; }

    /// <summary>Patterns of the arms that take part.</summary>
    public IReadOnlyList<string> Arms { get; init; } = ["*"];

    /// <summary>Keys of the recipe that all its runs have.</summary>
    public JsonObject Training { get; init; } = [];

    /// <summary>Whether the setting only chooses values; claims look at the others.</summary>
    public bool Selection { get; init; }
}

/// <summary>Something that arms have in common, within a tolerance.</summary>
/// <param name="What">active, total, memory, memory bytes or flops.</param>
/// <param name="Arms">Patterns of the arms; the first one is the reference.</param>
/// <param name="Tolerance">Largest deviation from the reference as a share of it.</param>
public sealed record Equality(string What, IReadOnlyList<string> Arms, double Tolerance);

/// <summary>A reported difference.</summary>
/// <param name="Arm">The arm in question.</param>
/// <param name="Baseline">What it is compared with.</param>
/// <param name="Measure">What is compared.</param>
public sealed record Difference(string Arm, string Baseline, string Measure = "loss");

/// <summary>A chart of a report.</summary>
/// <param name="Title">Above it.</param>
/// <param name="Arms">Patterns of the arms that are its points.</param>
/// <param name="Axis">
/// What lies along the horizontal axis: rho, experts, memory, layer, tokens, arm, or measure: the number behind the measures that begin
/// with <paramref name="Measure"/>; pairs: a square for every measure that begins so and ends in two numbers.
/// </param>
/// <param name="Measure">What lies along the vertical axis.</param>
/// <param name="Fit">quadratic, logarithmic, or null for none.</param>
/// <param name="Paper">The published points beside it: a name in <c>Library/Paper</c>.</param>
public sealed record ChartDefinition(
    string Title,
    IReadOnlyList<string> Arms,
    string Axis,
    string Measure = "loss",
    string? Fit = null,
    string? Paper = null
);
