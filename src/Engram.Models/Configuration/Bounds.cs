using System.Globalization;

namespace Engram.Models.Configuration;

/// <summary>Checks of one value; every error names the key, the value and the remedy.</summary>
internal static class Bounds
{
    public static void Range(string key, long value, long least, long most) =>
        That(
            value >= least && value <= most,
            key,
            value,
            least == most
                ? string.Create(CultureInfo.InvariantCulture, $"it must be {least}")
                : string.Create(CultureInfo.InvariantCulture, $"it must be between {least} and {most}")
        );

    public static void Range(string key, double value, double least, double most) =>
        That(
            value >= least && value <= most,
            key,
            value,
            string.Create(CultureInfo.InvariantCulture, $"it must be between {least} and {most}")
        );

    public static void That(bool holds, string key, object value, string remedy)
    {
        if (!holds)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; {remedy}."));
    }
}
