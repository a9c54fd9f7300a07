namespace Engram.Corpora.Files;

/// <summary>What could not be read of a corpus: the end of reading, or, where bad input is to be skipped, counted and told.</summary>
/// <param name="skip">Whether reading goes on.</param>
/// <param name="told">Receives one line about each; null tells nobody.</param>
internal sealed class BadInputs(bool skip, Action<string>? told)
{
    /// <summary>A line, row or file that cannot be read.</summary>
    /// <param name="error">Names file, line and reason.</param>
    /// <exception cref="InvalidDataException">Bad input is not to be skipped.</exception>
    public void Add(InvalidDataException error)
    {
        if (!skip)
            throw error;
        told?.Invoke(error.Message);
    }
}
