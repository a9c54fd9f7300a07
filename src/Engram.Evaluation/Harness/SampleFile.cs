using System.Text;
using System.Text.Json;

namespace Engram.Evaluation.Harness;

/// <summary>
/// A file of samples that grows by a line as each item is answered. What a run that was ended left in it is taken up by the next.
/// </summary>
public sealed class SampleFile : IDisposable
{
    private readonly Dictionary<(string Key, string Task, int Index), TaskSample> _known = [];
    private readonly FileStream _stream;

    private SampleFile(FileStream stream) => _stream = stream;

    /// <summary>Samples found in the file.</summary>
    public int Found => _known.Count;

    /// <summary>Opens or creates a file of samples.</summary>
    /// <param name="path">Where it lies; its folder exists.</param>
    /// <param name="resume">Whether the samples of an existing file count; otherwise there must be none.</param>
    /// <exception cref="IOException">The file exists and is not to be resumed, or cannot be written.</exception>
    /// <exception cref="InvalidDataException">A line before the last is no sample.</exception>
    public static SampleFile Open(string path, bool resume)
    {
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

    /// <summary>The sample of an item if the file holds it.</summary>
    public TaskSample? Find(string key, string task, int index, string itemSha256) =>
        _known.TryGetValue((key, task, index), out var sample) && sample.ItemSha256 == itemSha256 ? sample : null;

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
        using var reader = new StreamReader(_stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, leaveOpen: true);
        var text = reader.ReadToEnd();
        // A line without its end was being written when the run ended.
        var whole = text.LastIndexOf('\n') + 1;
        var number = 0;
        var known = text.AsSpan(0, whole);
        foreach (var range in known.Split('\n'))
        {
            var line = known[range];
            number++;
            if (line.IsEmpty)
                continue;
            try
            {
                var sample = JsonSerializer.Deserialize(line, SampleJson.Readable.TaskSample) ?? throw new JsonException("null");
                _known[(sample.Key, sample.Task, sample.Index)] = sample;
            }
            catch (JsonException error)
            {
                throw new InvalidDataException($"{path}:{number}: no sample. Name another file, or delete this one.", error);
            }
        }
        _stream.SetLength(Encoding.UTF8.GetByteCount(text.AsSpan(0, whole)));
        _stream.Seek(0, SeekOrigin.End);
    }
}
