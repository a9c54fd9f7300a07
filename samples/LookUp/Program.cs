using Engram.Addressing;
using Engram.Tables;
using Engram.Tokenization;

// Opens the tables of a model in place and looks up the rows of a sentence:
//   LookUp MODEL "The Congress of the United States"                       a model folder
//   LookUp TABLE.safetensors addressing.json tokenizer.json LAYER "text"   a table that lies elsewhere
if (args.Length is not (2 or 5))
{
    Console.Error.WriteLine("usage: LookUp MODEL TEXT | LookUp TABLE.safetensors addressing.json tokenizer.json LAYER TEXT");
    return 2;
}
try
{
    if (args.Length == 5)
    {
        if (!int.TryParse(args[3], out var layer))
            throw new ArgumentException($"'{args[3]}' is no layer: give its index, counted from 0.");
        LookUp(args[1], args[2], [(layer, args[0])], args[4]);
    }
    else
    {
        var folder = Path.Combine(args[0], "engram");
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException(
                $"{args[0]}: there is no folder engram with tables in it; give the folder of a model with memory."
            );
        var tables = Directory
            .GetFiles(folder, "layer-*.safetensors")
            .Order(StringComparer.Ordinal)
            .Select(file =>
                (Layer: int.TryParse(Path.GetFileNameWithoutExtension(file)["layer-".Length..], out var layer) ? layer : -1, File: file)
            )
            .Where(table => table.Layer >= 0);
        LookUp(Path.Combine(folder, "addressing.json"), Path.Combine(args[0], "tokenizer.json"), tables, args[1]);
    }
    return 0;
}
catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"LookUp: {error.Message}");
    return 1;
}

static void LookUp(string addressingFile, string tokenizerFile, IEnumerable<(int Layer, string File)> tables, string text)
{
    // docs: begin look-up
    var tokenizer = Tokenizer.Load(tokenizerFile);
    var addressing = ModelAddressing.Load(addressingFile, tokenizer.Fingerprint);
    var addresser = new NgramAddresser(addressing.Constants);

    // The text alone. A model reads it behind its start token (bos_token_id of its config.json): put that in front for the rows that the
    // model reads at the first tokens.
    int[] tokens = [.. tokenizer.Encode(text)];
    int[] canonical = [.. tokens.Select(id => addressing.CanonicalMap[id])];
    foreach (var (layer, file) in tables)
    {
        var position = addressing.Constants.Spec.Layers.IndexOf(layer);
        if (position < 0)
            throw new ArgumentException($"{addressingFile} knows no memory layer {layer}.");
        using var table = EngramTable.Map(
            file,
            $"model.layers.{layer}.engram.embed.weight",
            addressing.Constants.Layers[position].TotalRows
        );
        var rows = new long[tokens.Length * addresser.Columns];
        addresser.Address(canonical, documentStarts: [], position, rows);
        var memory = new float[rows.Length * table.Width];
        table.Gather(rows, memory); // [tokens, heads of all orders × width]
        Print(layer, rows, memory, table.Width);
    }
    // docs: end look-up

    void Print(int layer, long[] rows, float[] memory, int width)
    {
        var (spec, heads) = (addressing.Constants.Spec, addressing.Constants.Spec.HeadsPerOrder);
        Console.WriteLine($"layer {layer}");
        for (var t = 0; t < tokens.Length; t++)
        for (var order = 2; order <= spec.MaxOrder; order++)
        {
            var first = t * spec.Columns + (order - 2) * heads;
            var ngram = string.Join(
                '·',
                Enumerable.Range(t - order + 1, order).Select(i => i < 0 ? "∅" : tokenizer.Decode([tokens[i]]).Replace(' ', '␣'))
            );
            var values = string.Join(
                ' ',
                memory.AsSpan(first * width, Math.Min(4, width)).ToArray().Select(value => value.ToString("0.0000", null))
            );
            Console.WriteLine($"  {ngram, -40} rows {string.Join(' ', rows.AsSpan(first, heads).ToArray())}  {values} …");
        }
    }
}
