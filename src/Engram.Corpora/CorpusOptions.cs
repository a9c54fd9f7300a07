namespace Engram.Corpora;

/// <summary>How a corpus is read.</summary>
public sealed record CorpusOptions
{
    /// <summary>The field of a JSON object, or the column of a table, that holds the text.</summary>
    /// <value>Default "text".</value>
    public string TextField { get; init; } = "text";

    /// <summary>What a message says where that field is not there: how another one is named.</summary>
    /// <value>A sentence; a command names its option.</value>
    public string TextFieldRemedy { get; init; } = "Give the text's field that name, or open the corpus with another TextField.";

    /// <summary>Reading stops after this many documents of the source's own order; null reads all.</summary>
    /// <value>Documents, at least 1.</value>
    public int? MaxDocuments { get; init; }

    /// <summary>Whether lines, rows and files that cannot be read are left out; otherwise the first ends the reading.</summary>
    /// <value>Default false.</value>
    public bool SkipBad { get; init; }

    /// <summary>Returns this instance, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">The field name is empty, or the limit is below 1.</exception>
    public CorpusOptions Validated()
    {
        ArgumentException.ThrowIfNullOrEmpty(TextField);
        if (MaxDocuments is { } limit)
            ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1, nameof(MaxDocuments));
        return this;
    }
}
