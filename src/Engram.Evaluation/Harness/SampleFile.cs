using System.Text.Json;

namespace Engram.Evaluation.Harness;

/// <summary>
/// A file of samples that grows by a line as each item is answered. What a run that was ended left in it is taken up by the next.
/// </summary>
public sealed class SampleFile : IDisposable
{
    private readonly Dictionary<(string Key, string Task, int Index), TaskSample> _known = [];
    private readonly List<int> _damaged = [];
    private readonly FileStream _stream;

    private SampleFile(FileStream stream) => _stream = stream;

    /// <summary>Samples found in the file.</summary>
    public int Found => _known.Count;

    /// <summary>How many of them a run has taken.</summary>
    public int Taken { get; private set; }

    /// <summary>Numbers of lines that are no samples, from 1. They stay where they are; their items are scored again.</summary>
    public IReadOnlyList<int> Damaged => _damaged;

    /// <summary>Opens or creates a file of samples.</summary>
    /// <param name="path">Where it lies; its folder exists.</param>
    /// <param name="resume">Whether the samples of an existing file count; otherwise there must be none.</param>
    /// <exception cref="DirectoryNotFoundException">Its folder is not there.</exception>
    /// <exception cref="IOException">The file exists and is not to be resumed, or cannot be written.</exception>
    /// <exception cref="InvalidDataException">None of its lines is a sample.</exception>
    public static SampleFile Open(string path, bool resume)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{path}: there is no folder '{folder}'. Make it, or name a file in one that is there.");
        if (!resume && File.Exists(path) && new FileInfo(path).Length > 0)
            throw new IOException($"{path} exists already; go on with it by --resume, or name another file.");
        // Nobody else opens it meanwhile: on Unix only this keeps a second writer out.
        var file = new SampleFile(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        try
        {
            file.ReadKnown(path);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether the file holds a sample of an item, perhaps of another version of its row.</summary>
    public bool Holds(string key, string task, int index) => _known.ContainsKey((key, task, index));

    /// <summary>The sample of an item if the file holds it.</summary>
    public TaskSample? Take(string key, string task, int index, string itemSha256)
    {
        if (!_known.TryGetValue((key, task, index), out var sample) || sample.ItemSha256 != itemSha256)
            return null;
        Taken++;
        return sample;
    }

    /// <summary>Appends a sample; it is with the system when this returns.</summary>
    public void Append(TaskSample sample)
    {
        _stream.Write(JsonSerializer.SerializeToUtf8Bytes(sample, SampleJson.Readable.TaskSample));
        _stream.WriteByte((byte)'\n');
        _stream.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private void ReadKnown(string path)
    {
        var bytes = new byte[_stream.Length];
        _stream.ReadExactly(bytes);
        // A line without its end was being written when the run ended.
        ReadOnlySpan<byte> lines = bytes.AsSpan(0, bytes.AsSpan().LastIndexOf((byte)'\n') + 1);
        var number = 0;
        foreach (var range in lines.Split((byte)'\n'))
        {
            number++;
            if (lines[range].IsEmpty)
                continue;
            if (SampleOf(lines[range]) is { } sample)
                _known[(sample.Key, sample.Task, sample.Index)] = sample;
            else
                _damaged.Add(number);
        }
        // Whatever it is, it is left alone.
        if (_known.Count == 0 && (_damaged.Count > 0 || (bytes.Length > 0 && bytes[0] != '{')))
            throw new InvalidDataException($"{path}: no line is a sample. Name another file, or delete this one.");
        if (lines.Length < bytes.Length)
            _stream.SetLength(lines.Length);
        _stream.Seek(0, SeekOrigin.End);
    }

    private static TaskSample? SampleOf(ReadOnlySpan<byte> line)
    {
        try
        {
            // Prompts are made anew, and need not be kept.
            return JsonSerializer.Deserialize(line, SampleJson.Readable.TaskSample) is { } sample
                ? sample with
                {
                    Prompt = null,
                    Prompts = null,
                    Choices = null,
                }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
