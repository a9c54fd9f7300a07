namespace Engram.Models.Sampling;

/// <summary>
/// Looks for texts that end a generation, in a text that comes piece by piece: holds back what may be the beginning of one.
/// </summary>
/// <param name="stops">The texts, none empty.</param>
internal sealed class StopTexts(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>Whether one has appeared.</summary>
    public bool Found { get; private set; }

    /// <summary>Takes the next piece; returns what certainly comes before the first stop text.</summary>
    public string Append(string piece)
    {
        if (stops.Count == 0)
            return piece;
        var text = _held + piece;
        var first = -1;
        foreach (var stop in stops)
            if (text.IndexOf(stop, StringComparison.Ordinal) is >= 0 and var at && (first < 0 || at < first))
                first = at;
        if (first >= 0)
        {
            (Found, _held) = (true, "");
            return text[..first];
        }

        var safe = text.Length;
        foreach (var stop in stops)
            for (var length = Math.Min(stop.Length - 1, text.Length); length > text.Length - safe; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    safe = text.Length - length;
                    break;
                }

        _held = text[safe..];
        return text[..safe];
    }

    /// <summary>What was held back when no more pieces come.</summary>
    public string Flush()
    {
        var rest = _held;
        _held = "";
        return rest;
    }
}
