using System.Globalization;

namespace Engram.Models.Recipes;

/// <summary>One option of a training cannot be what it is.</summary>
/// <param name="option">Its property.</param>
/// <param name="value">Its value.</param>
/// <param name="remedy">What it must be, or what to do: the rest of a sentence.</param>
public sealed class TrainingOptionException(string option, object? value, string remedy)
    : ArgumentException(Sentence(option, value, remedy))
{
    /// <summary>Name of the property.</summary>
    public string Option => option;

    /// <summary>The error under the name that a user knows the option by.</summary>
    public string MessageFor(string name) => Sentence(name, value, remedy);

    private static string Sentence(string name, object? value, string remedy) =>
        string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; {remedy}.");
}
