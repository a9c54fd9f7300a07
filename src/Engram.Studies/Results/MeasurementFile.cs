using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Engram.Storage;

namespace Engram.Studies.Results;

/// <summary>
/// Measured rows as JSON Lines. Rows are appended while a study runs and sorted when it ends, so that a finished file is the same however
/// often the study was interrupted.
/// </summary>
public static class MeasurementFile
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads rows in the order of the file; a line that was being written when the process died is left out.</summary>
    /// <param name="path">The file; without it there are no rows.</param>
    /// <exception cref="InvalidDataException">A complete line is no measurement; the message names file and line.</exception>
    public static IReadOnlyList<Measurement> Read(string path)
    {
        if (!File.Exists(path))
            return [];
        var text = SharedFile.ReadAllText(path);
        var rows = new List<Measurement>();
        foreach (var (number, line) in text[..(text.LastIndexOf('\n') + 1)].Split('\n').Index().Where(line => line.Item.Length > 0))
        {
            try
            {
                rows.Add(JsonSerializer.Deserialize<Measurement>(line, Json) ?? throw new JsonException("null"));
            }
            catch (JsonException error)
            {
                throw new InvalidDataException($"{path}: line {number + 1} is no measurement: {error.Message}", error);
            }
        }
        return rows;
    }

    /// <summary>
    /// Appends rows in one piece, in turns with other processes. What an interrupted write left of a line is removed first.
    /// </summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Append(string path, IEnumerable<Measurement> rows)
    {
        using var file = SharedFile.OpenAlone(path);
        RemoveTornLine(file);
        file.Seek(0, SeekOrigin.End);
        file.Write(Encoding.UTF8.GetBytes(Text(rows)));
        file.Flush(flushToDisk: true);
    }

    /// <summary>Writes rows sorted, each key once with its last value.</summary>
    public static void WriteSorted(string path, IEnumerable<Measurement> rows) => AtomicFile.WriteAllText(path, Text(Sorted(rows)));

    /// <summary>Rows in the order of finished files, each key once with its last value.</summary>
    public static IReadOnlyList<Measurement> Sorted(IEnumerable<Measurement> rows) =>
        [
            .. rows.GroupBy(row => row.Key)
                .Select(group => group.Last())
                .OrderBy(row => row.Study, StringComparer.Ordinal)
                .ThenBy(row => row.Size, StringComparer.Ordinal)
                .ThenBy(row => row.Arm, StringComparer.Ordinal)
                .ThenBy(row => row.Seed)
                .ThenBy(row => row.Measure, StringComparer.Ordinal),
        ];

    private static string Text(IEnumerable<Measurement> rows) =>
        string.Concat(rows.Select(row => JsonSerializer.Serialize(row, Json) + "\n"));

    private static void RemoveTornLine(FileStream file)
    {
        var end = file.Length;
        while (end > 0)
        {
            file.Seek(end - 1, SeekOrigin.Begin);
            if (file.ReadByte() == '\n')
                break;
            end--;
        }
        file.SetLength(end);
    }
}
