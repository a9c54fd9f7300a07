using Spectre.Console;

namespace Engram.Cli.CommandLine;

/// <summary>Columns of the tables that commands write.</summary>
internal static class Columns
{
    /// <summary>A column of numbers: they stand at its right.</summary>
    public static TableColumn Number(string title) => new TableColumn(title).RightAligned();

    /// <summary>A table with a column of words, and of numbers behind it.</summary>
    public static Table NumbersBehind(string first, params IEnumerable<string> numbers) =>
        new Table().AddColumn(first).AddColumns([.. numbers.Select(Number)]);
}
