using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Storage;
using TorchSharp;

namespace Engram.Training;

/// <summary>
/// The curves of a run: <c>metrics.jsonl</c>, one object a line, and TensorBoard events. When a run is resumed, lines past the checkpoint
/// and a line that a crash cut short or spoilt are dropped, so that the file reads like that of an uninterrupted run.
/// </summary>
internal sealed class MetricsLog : IDisposable
{
    /// <summary>Name of the file in the run folder.</summary>
    public const string FileName = "metrics.jsonl";

    private readonly string _runFolder;
    private readonly FileStream _file;
    private readonly StreamWriter _lines;
    private readonly TorchSharp.Modules.SummaryWriter _events;

    /// <summary>Opens the log of a run that continues after <paramref name="step"/>, 0 for a new one.</summary>
    public MetricsLog(string runFolder, long step)
    {
        _runFolder = runFolder;
        var path = Path.Combine(runFolder, FileName);
        if (File.Exists(path))
            AtomicFile.WriteAllText(
                path,
                string.Concat(File.ReadLines(path).Where(line => StepOf(line) <= step).Select(line => line + "\n"))
            );
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        _lines = new StreamWriter(_file, new UTF8Encoding(false)) { AutoFlush = true };
        _events = torch.utils.tensorboard.SummaryWriter(Path.Combine(runFolder, "tensorboard"));
    }

    /// <summary>Appends one object; its first member is the step.</summary>
    public void Write(long step, params ReadOnlySpan<(string Name, double Value)> values)
    {
        var entry = new JsonObject { ["step"] = step };
        foreach (var (name, value) in values)
        {
            entry[name] = double.IsFinite(value) ? value : null;
            _events.add_scalar(name, (float)value, (int)step);
        }

        _lines.Write(entry.ToJsonString() + "\n");
    }

    /// <summary>Writes the lines so far to the device and waits for it: before a checkpoint that a resumed run starts behind.</summary>
    /// <exception cref="IOException">The device cannot take them.</exception>
    public void Flush()
    {
        _file.Flush(flushToDisk: true);
        DurableFolder.Flush(_runFolder);
    }

    /// <inheritdoc/>
    public void Dispose() => _lines.Dispose();

    private static long StepOf(string line)
    {
        try
        {
            using var entry = JsonDocument.Parse(line);
            return entry.RootElement.GetProperty("step").GetInt64();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return long.MaxValue;
        }
    }
}
