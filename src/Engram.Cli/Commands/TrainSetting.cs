using System.CommandLine;
using System.Globalization;
using Engram.Cli.CommandLine;
using Engram.Training;

namespace Engram.Cli.Commands;

/// <summary>
/// An option of <c>engram train</c> that is one property of <see cref="TrainingOptions"/>: whose default it shows, which it sets, and by
/// whose name errors call it.
/// </summary>
/// <param name="Property">Name of the property.</param>
/// <param name="Option">The option.</param>
/// <param name="Apply">Sets the property to what the command line has, if it has something.</param>
internal sealed record TrainSetting(string Property, Option Option, Func<ParseResult, TrainingOptions, TrainingOptions> Apply)
{
    /// <summary>The options with nothing asked for but a number of updates, which has no default.</summary>
    public static readonly TrainingOptions Defaults = new() { Steps = 1 };

    /// <summary>A number.</summary>
    /// <param name="name">Of the option.</param>
    /// <param name="property">Of the options.</param>
    /// <param name="description">A sentence without its end.</param>
    /// <param name="read">
    /// Reads the property, for the default that the help shows; null where it depends on others, and the description says how.
    /// </param>
    /// <param name="write">Sets the property.</param>
    public static TrainSetting Number<T>(
        string name,
        string property,
        string description,
        Func<TrainingOptions, T>? read,
        Func<TrainingOptions, T, TrainingOptions> write
    )
        where T : struct, IFormattable
    {
        var shown = read is null ? "" : $" [default: {read(Defaults).ToString(null, CultureInfo.InvariantCulture)}]";
        Option<T?> option = new(name) { Description = description + shown, HelpName = "N" };
        return new TrainSetting(
            property,
            option,
            (parsed, options) => parsed.GetValue(option) is { } value ? write(options, value) : options
        );
    }

    /// <summary>One of several names.</summary>
    /// <param name="name">Of the option.</param>
    /// <param name="property">Of the options.</param>
    /// <param name="description">A sentence without its end.</param>
    /// <param name="names">What may be given, and what it means.</param>
    /// <param name="read">Reads the property, for the default that the help shows.</param>
    /// <param name="write">Sets the property.</param>
    public static TrainSetting Choice<T>(
        string name,
        string property,
        string description,
        Dictionary<string, T> names,
        Func<TrainingOptions, T> read,
        Func<TrainingOptions, T, TrainingOptions> write
    )
        where T : struct, Enum
    {
        var shown = names.Single(pair => pair.Value.Equals(read(Defaults))).Key;
        var option = new Option<string?>(name)
        {
            Description = $"{description} [default: {shown}]",
            HelpName = string.Join('|', names.Keys),
        }.OneOf([.. names.Keys]);
        return new TrainSetting(
            property,
            option,
            (parsed, options) => parsed.GetValue(option) is { } value ? write(options, names[value]) : options
        );
    }

    /// <summary>Names, none by default.</summary>
    /// <param name="name">Of the option.</param>
    /// <param name="property">Of the options.</param>
    /// <param name="description">A sentence without its end.</param>
    /// <param name="write">Sets the property.</param>
    public static TrainSetting Names(
        string name,
        string property,
        string description,
        Func<TrainingOptions, IReadOnlyList<string>, TrainingOptions> write
    )
    {
        Option<string[]> option = new(name) { Description = description + " [default: none]", HelpName = "NAME" };
        return new TrainSetting(
            property,
            option,
            (parsed, options) => parsed.GetValue(option) is { Length: > 0 } names ? write(options, names) : options
        );
    }
}
