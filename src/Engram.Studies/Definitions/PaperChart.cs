namespace Engram.Studies.Definitions;

/// <summary>A published figure as data.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Source">Where the numbers come from.</param>
/// <param name="XTitle">Along the horizontal axis.</param>
/// <param name="YTitle">Along the vertical axis.</param>
/// <param name="LogX">Whether the horizontal axis is logarithmic.</param>
/// <param name="Categories">Names along the horizontal axis instead of numbers.</param>
/// <param name="Series">Its lines.</param>
public sealed record PaperChart(
    string Title,
    string Source,
    string XTitle,
    string YTitle,
    bool LogX,
    IReadOnlyList<string>? Categories,
    IReadOnlyList<PaperSeries> Series
);

/// <summary>A published line.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="X">Positions.</param>
/// <param name="Y">Values.</param>
public sealed record PaperSeries(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y);
