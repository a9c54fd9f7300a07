using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Addressing;
using Engram.Storage;

namespace Engram.Tests.PublishedCheckpoints;

/// <summary>Writes folders laid out like a DeepSeek-V4.1 checkpoint: a shard of other weights, then one shard per table.</summary>
internal sealed class V41Folder
{
    public const int Width = 64;

    public required string Path { get; init; }
    public required AddressingConstants Constants { get; init; }
    public required int RowWidth { get; init; }

    /// <summary>A few hundred rows, all written.</summary>
    public static V41Folder Small(string path, string prefix = "") =>
        Write(path, [1, 3], slots: 13, heads: 2, Width, vocabulary: 311, prefix);

    /// <summary>The published sizes; all but the given rows of each layer are holes.</summary>
    public static V41Folder Full(string path, params ImmutableArray<long>[] rows) =>
        Write(path, [1, 14], slots: 16_000_000, heads: 8, 256, vocabulary: 99_092, prefix: "", rows);

    public static byte Value(long row, int column) => (byte)((row * 31 + column * 7) % 126 + 128 * (column % 2));

    public static byte Scale(long row, int group) => (byte)(120 + (row + group) % 10);

    public static string ShardName(int number, int count) => $"model-{number:00000}-of-{count:00000}.safetensors";

    public static V41Folder Write(
        string path,
        ImmutableArray<int> layers,
        long slots,
        int heads,
        int width,
        int vocabulary,
        string prefix,
        params ImmutableArray<long>[] rows
    )
    {
        Directory.CreateDirectory(path);
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = vocabulary,
                Layers = layers,
                SlotsPerOrder = [slots, slots, slots],
                HeadsPerOrder = heads,
                PadId = 2,
            }
        );
        var shards = layers.Length + 1;
        var map = new JsonObject { ["embed.weight"] = ShardName(1, shards) };
        var other = new SafetensorsWriter();
        other.Add<float>("embed.weight", DType.F32, [1, 2], 1, 2);
        other.Write(System.IO.Path.Combine(path, ShardName(1, shards)));
        foreach (var (position, layer) in constants.Layers.Index())
        {
            var name = $"{prefix}layers.{layer.Layer}.engram.embed";
            var written = rows.Length == 0 ? [.. Enumerable.Range(0, (int)layer.TotalRows).Select(row => (long)row)] : rows[position];
            var writer = new SafetensorsWriter { KeepOrder = true, DataAlignment = 4096 };
            writer.Add(
                name + ".weight",
                DType.F8_E4M3,
                stream =>
                    Sparse(stream, layer.TotalRows, width, row => [.. Enumerable.Range(0, width).Select(column => Value(row, column))]),
                layer.TotalRows,
                width
            );
            writer.Add(
                name + ".scale",
                DType.F8_E8M0,
                stream =>
                    Sparse(
                        stream,
                        layer.TotalRows,
                        width / 32,
                        row => [.. Enumerable.Range(0, width / 32).Select(group => Scale(row, group))]
                    ),
                layer.TotalRows,
                width / 32
            );
            writer.Write(System.IO.Path.Combine(path, ShardName(position + 2, shards)));
            map[name + ".weight"] = ShardName(position + 2, shards);
            map[name + ".scale"] = ShardName(position + 2, shards);

            void Sparse(Stream stream, long count, int rowBytes, Func<long, byte[]> content)
            {
                var start = stream.Position;
                stream.SetLength(start + count * rowBytes);
                foreach (var row in written)
                {
                    stream.Position = start + row * rowBytes;
                    stream.Write(content(row));
                }
                stream.Position = start + count * rowBytes;
            }
        }
        File.WriteAllText(
            System.IO.Path.Combine(path, SafetensorsIndex.FileName),
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["total_size"] = 1 },
                ["weight_map"] = map,
            }.ToJsonString()
        );
        File.WriteAllText(System.IO.Path.Combine(path, "config.json"), Configuration(constants, width).ToJsonString());
        return new V41Folder
        {
            Path = path,
            Constants = constants,
            RowWidth = width,
        };
    }

    public static JsonObject Configuration(AddressingConstants constants, int width) =>
        new()
        {
            ["model_type"] = "deepseek_v41",
            ["text_config"] = new JsonObject
            {
                ["hidden_size"] = 5120,
                ["engram_layer_ids"] = JsonSerializer.SerializeToNode(constants.Spec.Layers),
                ["engram_num_embeddings"] = JsonSerializer.SerializeToNode(constants.Layers.Select(layer => layer.TotalRows)),
                ["engram_max_ngram_size"] = constants.Spec.MaxOrder,
                ["engram_vocab_size"] = constants.Spec.SlotsPerOrder[0],
                ["engram_n_heads"] = constants.Spec.HeadsPerOrder,
                ["engram_head_dim"] = width,
                ["engram_pad_token_id"] = constants.Spec.PadId,
                ["engram_compressed_vocab_size"] = constants.Spec.CompressedVocabularySize,
            },
        };
}
