using System.CommandLine;
using System.Globalization;

namespace Engram.Cli;

/// <summary>Numbers are written with a point and without groups. The parser's own conversion takes "0,8" for 8.</summary>
internal static class StrictNumbers
{
    private const NumberStyles Whole = NumberStyles.AllowLeadingSign;
    private const NumberStyles Fraction = Whole | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    /// <summary>Makes every option of a command and of those below it that takes a number take no other text.</summary>
    public static void ApplyTo(Command command)
    {
        foreach (var option in command.Options)
            if (option is not Option<long?> { CustomParser: not null } && Check(option.ValueType) is { } isNumber)
                option.Validators.Add(given =>
                {
                    foreach (var token in given.Tokens)
                        if (!isNumber(token.Value) && !given.Errors.Any())
                            given.AddError($"{option.Name}: '{token.Value}' is no {Wanted(option.ValueType)}.");
                });
        foreach (var subcommand in command.Subcommands)
            ApplyTo(subcommand);
    }

    private static string Wanted(Type type) =>
        type.ToString().Contains("Double", StringComparison.Ordinal) ? "number; write for example 0.8 or 6e-3" : "whole number";

    private static Func<string, bool>? Check(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            var number when number == typeof(double) => text =>
                double.TryParse(text, Fraction, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value),
            var number when number == typeof(int) => text => int.TryParse(text, Whole, CultureInfo.InvariantCulture, out _),
            var number when number == typeof(long) => text => long.TryParse(text, Whole, CultureInfo.InvariantCulture, out _),
            _ => null,
        };
}
