namespace Engram.Corpora.Files;

/// <summary>What could not be read of a corpus: the end of reading, or, where bad input is to be skipped, counted and told.</summary>
/// <param name="folder">The folder that names of files are relative to; null for a single file.</param>
/// <param name="skip">Whether reading goes on.</param>
/// <param name="told">Receives one line about each; null tells nobody.</param>
internal sealed class BadInputs(string? folder, bool skip, Action<string>? told)
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

    /// <summary>A file that is not read on, because of what was <see cref="Add">not to be skipped</see> or because it is damaged.</summary>
    /// <param name="error">Names file, line and reason.</param>
    /// <exception cref="InvalidDataException">Bad input is not to be skipped: names folder and remedy too.</exception>
    public void End(InvalidDataException error)
    {
        if (!skip)
            throw new InvalidDataException(
                $"{(folder is null ? "" : $"{Path.TrimEndingDirectorySeparator(folder)}/")}{error.Message.TrimEnd('.')}. Mend it, or leave out what cannot be read: engram data "
                    + "prepare --skip-bad.",
                error
            );
        told?.Invoke(error.Message);
    }
}
