namespace Engram.Tables.Training;

/// <summary>The factors of the steps that some rows have yet to make: of all steps since every row was last up to date.</summary>
internal sealed class StepHistory
{
    private readonly List<(float StepSize, float Root)> _since = [];
    private int _upToDate;

    /// <summary>Number of the last step.</summary>
    public int Now => _upToDate + _since.Count;

    /// <summary>Whether a row may lie behind.</summary>
    public bool IsOpen => _since.Count > 0;

    /// <summary>The factors of a step after the one at which every row was up to date.</summary>
    public (float StepSize, float Root) this[int step] => _since[step - _upToDate - 1];

    /// <summary>Takes up the next step.</summary>
    public void Add(float stepSize, float root)
    {
        _ = checked(Now + 1);
        _since.Add((stepSize, root));
    }

    /// <summary>Every row is up to date with a step.</summary>
    public void Close(int step)
    {
        _upToDate = step;
        _since.Clear();
    }
}
