using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Engram.Storage;
using Engram.Tokenization;

namespace Engram.Evaluation.Ruler;

/// <summary>Samples and answers as JSON Lines.</summary>
public static class RulerFiles
{
    private static readonly JsonSerializerOptions Lines = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>Writes the samples, a file a task, for whoever wants to ask elsewhere.</summary>
    /// <param name="tokenizer">Counts tokens.</param>
    /// <param name="options">Which samples.</param>
    /// <param name="folder">Receives TASK.jsonl, in place of files of these names.</param>
    /// <param name="progress">Told how many samples are made.</param>
    /// <param name="cancellation">Ends between two samples; the files of finished tasks stay.</param>
    public static void WriteItems(
        Tokenizer tokenizer,
        RulerOptions options,
        string folder,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var items = new RulerItems(
            tokenizer,
            new RulerMaterial(options.Validated().Material, options.Essays, cancellation),
            options.Length,
            options.Seed
        );
        items.RequireRoom(options.Chosen, cancellation);
        Directory.CreateDirectory(folder);
        var done = 0;
        foreach (var task in options.Chosen)
            AtomicFile.Write(
                Path.Combine(folder, $"{task.Name}.jsonl"),
                stream =>
                {
                    foreach (var item in items.Make(task, options.Samples, cancellation))
                    {
                        WriteLine(
                            stream,
                            new
                            {
                                Task = task.Name,
                                task.Category,
                                item.Index,
                                options.Length,
                                options.Seed,
                                item.Tokens,
                                task.NewTokens,
                                item.Comparable,
                                item.Draft.Prompt,
                                item.Draft.AnswerPrefix,
                                item.Draft.References,
                                item.Draft.Depths,
                            }
                        );
                        progress?.Report(++done);
                    }
                }
            );
    }

    /// <summary>
    /// Opens a file of answers to be added to, and reads those that it has. A line that an interruption cut short is dropped.
    /// </summary>
    /// <param name="path">The file; it need not exist.</param>
    /// <returns>The stream, which the caller disposes of, and the answers.</returns>
    /// <exception cref="InvalidDataException">A line is no answer.</exception>
    public static (FileStream Stream, IReadOnlyList<RulerAnswer> Answers) OpenAnswers(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            var text = reader.ReadToEnd();
            var whole = text.LastIndexOf('\n') + 1;
            stream.SetLength(Encoding.UTF8.GetByteCount(text.AsSpan(0, whole)));
            stream.Seek(0, SeekOrigin.End);
            return (
                stream,
                [.. text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select((line, i) => Parse(line, $"{path}:{i + 1}"))]
            );
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Adds an answer, which is on the device when this returns.</summary>
    public static void Append(FileStream stream, RulerAnswer answer)
    {
        ArgumentNullException.ThrowIfNull(stream);
        WriteLine(stream, answer);
        stream.Flush(flushToDisk: true);
    }

    private static RulerAnswer Parse(string line, string place)
    {
        try
        {
            return JsonSerializer.Deserialize<RulerAnswer>(line, Lines) ?? throw new JsonException("null");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{place}: no answer of RULER ({error.Message}). Give a new file.", error);
        }
    }

    private static void WriteLine<T>(Stream stream, T value)
    {
        stream.Write(JsonSerializer.SerializeToUtf8Bytes(value, Lines));
        stream.WriteByte((byte)'\n');
    }
}
