using Engram.Corpora.Files;
using Engram.Storage;

namespace Engram.Evaluation.LongPpl;

/// <summary>
/// Key intervals on disk: for text number i of a corpus the file <c>slice_i.txt</c>, as published for GovReport. They are read as text,
/// never run.
/// </summary>
/// <param name="folder">Where they lie.</param>
public sealed class KeyFiles(string folder)
{
    /// <summary>The intervals of a text.</summary>
    /// <param name="index">The number of the text.</param>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It holds something else.</exception>
    public IReadOnlyList<TextInterval> Read(int index, CancellationToken cancellation = default)
    {
        var path = Path(index);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path}: there are no key intervals for text {index}. Let an evaluator find them.", path);
        return TextInterval.Parse(InputFile.ReadAllText(path, cancellation), path);
    }

    /// <summary>Writes the intervals of a text.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public void Write(int index, IEnumerable<TextInterval> intervals)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.WriteAllText(Path(index), TextInterval.Format(intervals));
    }

    private string Path(int index) => System.IO.Path.Combine(folder, $"slice_{index}.txt");
}
