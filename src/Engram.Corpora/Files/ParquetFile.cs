using Parquet;
using Parquet.Schema;

namespace Engram.Corpora.Files;

/// <summary>Parquet: one row, one document, its text in one column of strings. Rows without a value are skipped.</summary>
internal static class ParquetFile
{
    /// <summary>The documents, in order.</summary>
    public static IEnumerable<Document> Read(Stream content, string name, TextField field, BadInputs bad)
    {
        // The format is read from its end.
        using var seekable = content.CanSeek ? null : new MemoryStream();
        if (seekable is not null)
        {
            content.CopyTo(seekable);
            seekable.Position = 0;
        }

        var reader = Guarded(name, () => ParquetReader.CreateAsync(seekable ?? content));
        using var closing = new Closing(reader);
        var column = ColumnOf(reader, name, field);
        var row = 0L;
        for (var group = 0; group < reader.RowGroupCount; group++)
        {
            foreach (var text in TextsOf(reader, group, column, name))
            {
                row++;
                if (text is not null)
                    yield return new Document($"{name}:{row}", text);
            }
        }
    }

    private static DataField ColumnOf(ParquetReader reader, string name, TextField field)
    {
        var columns = reader.Schema.DataFields;
        var column =
            columns.FirstOrDefault(known => known.Path.ToString() == field.Name)
            ?? throw new InvalidDataException(
                $"{name}: no column \"{field.Name}\"; the file has {string.Join(", ", columns.Take(8).Select(known => $"\"{known.Path}\""))}. "
                    + field.Remedy
            );
        return
            (column.ClrType == typeof(string) || column.ClrType == typeof(ReadOnlyMemory<char>))
            && !column.IsArray
            && column.MaxRepetitionLevel == 0
            ? column
            : throw new InvalidDataException(
                $"{name}: column \"{field.Name}\" holds {(column.IsArray || column.MaxRepetitionLevel > 0 ? "lists" : "values")}, not text. "
                    + field.Remedy
            );
    }

    private static string?[] TextsOf(ParquetReader reader, int group, DataField column, string name) =>
        Guarded(
            name,
            async () =>
            {
                using var rows = reader.OpenRowGroupReader(group);
                var texts = new string?[rows.RowCount];
                await rows.ReadAsync(column, texts.AsMemory()!).ConfigureAwait(false);
                return texts;
            }
        );

    /// <summary>A damaged file shows as any of the errors of its reader.</summary>
    private static T Guarded<T>(string name, Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            throw new InvalidDataException($"{name}: no readable Parquet: {error.Message}", error);
        }
    }

    /// <summary>The library closes its readers asynchronously only.</summary>
    private sealed class Closing(ParquetReader reader) : IDisposable
    {
        public void Dispose() => reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
