using System.Globalization;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;

// What a trained model is and what its memory holds for a text, without libtorch:
//   OpenModel MODEL TEXTS        TEXTS is a file or a folder: .txt, .md, .jsonl, …
if (args.Length != 2)
{
    Console.Error.WriteLine("usage: OpenModel MODEL TEXTS");
    return 2;
}
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    var model = ModelFolder.Open(args[0]);
    var (configuration, plan) = (model.Configuration, ModelPlan.Of(model.Configuration));
    Console.WriteLine(
        $"{configuration.NumHiddenLayers} layers of width {configuration.HiddenSize}: {plan.TotalParameters:N0} parameters, "
            + $"{plan.ActiveParameters:N0} active, {plan.MemoryParameters:N0} in tables"
    );

    using var memory =
        model.OpenMemory(new MemoryOptions { Tables = TableLocation.Mapped })
        ?? throw new ArgumentException($"{args[0]}: the model has no memory; give one whose config.json has engram keys.");
    var start =
        configuration.BosTokenId
        ?? configuration.EosTokenId
        ?? throw new ArgumentException(
            $"{args[0]}: config.json has neither bos_token_id nor eos_token_id, so it is not known what stands before a document."
        );

    var (rows, tokens, documents, squares) = (new MemoryRows(), 0L, 0L, new double[memory.LayerIds.Count]);
    foreach (var piece in CorpusTokens.Read(CorpusSource.Open(args[1]), model.Tokenizer, start))
    {
        // One long sequence of documents: no n-gram reaches over the start of one.
        memory.Address(piece.Ids.Span, piece.DocumentStarts.Span, sequences: 1, rows);
        (tokens, documents) = (tokens + piece.Ids.Length, documents + piece.DocumentStarts.Span.Count(true));
        for (var layer = 0; layer < squares.Length; layer++)
        {
            var values = new float[(long)rows.Tokens * rows.Columns * memory.Tables.Store(layer).Width];
            memory.Tables.Store(layer).Gather(rows.Layer(layer), values); // [tokens, heads of all orders × width]
            foreach (var value in values)
                squares[layer] += (double)value * value;
        }
    }

    Console.WriteLine($"{documents:N0} documents, {tokens:N0} tokens");
    for (var layer = 0; layer < squares.Length; layer++)
        Console.WriteLine(
            $"layer {memory.LayerIds[layer]}: root mean square of a token's memory {Math.Sqrt(squares[layer] / Math.Max(1, tokens)):0.0000}"
        );
    return 0;
}
catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"OpenModel: {error.Message}");
    return 1;
}
