using System.Text.Encodings.Web;
using System.Text.Json;
using Engram.Storage;
using Engram.Tokenization;

namespace Engram.Evaluation.Ruler;

/// <summary>Samples as JSON Lines, for whoever wants to ask elsewhere.</summary>
public static class RulerFiles
{
    private static readonly JsonSerializerOptions Lines = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
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
        var material = new RulerMaterial(options.Validated().Material, options.Essays, cancellation);
        var items = new RulerItems(tokenizer, material, options.Length, options.Seed);
        items.RequireRoom(options.Chosen, cancellation);
        Directory.CreateDirectory(folder);
        var done = 0;
        foreach (var task in options.Chosen)
            AtomicFile.Write(
                Path.Combine(folder, $"{task.Name}.jsonl"),
                stream =>
                {
                    var (given, own) = material.Of(task);
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
                                GivenMaterial = given,
                                OwnMaterial = own,
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

    private static void WriteLine<T>(Stream stream, T value)
    {
        stream.Write(JsonSerializer.SerializeToUtf8Bytes(value, Lines));
        stream.WriteByte((byte)'\n');
    }
}
