using System.Text.Json;

namespace Engram.Addressing;

/// <summary>
/// The form in which implementations exchange test vectors: a specification, one document of canonical ids, and per layer the multipliers,
/// primes and rows (without offsets, [token][column]) that follow from them. A file holds one case or an array of cases.
/// </summary>
public static class AddressingCases
{
    /// <summary>Computes everything that follows from the input fields.</summary>
    /// <param name="json">
    /// UTF-8: an object or an array of objects with <c>name, compressedVocabularySize, layers, slotsPerOrder, headsPerOrder, seed, padId,
    /// tokens</c>. A <c>perLayer</c> is replaced.
    /// </param>
    /// <param name="file">Name for messages.</param>
    /// <returns>
    /// The same cases in the same form with <c>perLayer</c> filled in: compact UTF-8 JSON, a function of the input fields alone.
    /// </returns>
    /// <exception cref="InvalidDataException">Not such a file; the message names file and value.</exception>
    public static byte[] Complete(ReadOnlySpan<byte> json, string file)
    {
        if (json.TrimStart(" \t\r\n"u8).IsEmpty)
            throw new InvalidDataException($"{file}: the file is empty.");
        try
        {
            if (json.TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
            {
                var cases = JsonSerializer.Deserialize(json, AddressingJson.Default.CaseJsonArray)!;
                foreach (var one in cases)
                    Complete(one ?? throw new JsonException("A case is null."));
                return JsonSerializer.SerializeToUtf8Bytes(cases, AddressingJson.Default.CaseJsonArray);
            }
            var single = JsonSerializer.Deserialize(json, AddressingJson.Default.CaseJson) ?? throw new JsonException("The case is null.");
            Complete(single);
            return JsonSerializer.SerializeToUtf8Bytes(single, AddressingJson.Default.CaseJson);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }

    private static void Complete(CaseJson one)
    {
        var addresser = new NgramAddresser(AddressingConstants.Derive(one.ToSpec()));
        one.PerLayer =
        [
            .. addresser.Constants.Layers.Select(
                (layer, position) =>
                    new CaseLayerJson
                    {
                        Layer = layer.Layer,
                        Multipliers = layer.Multipliers,
                        Primes = layer.Primes,
                        Rows = Rows(addresser, one.Tokens, position),
                    }
            ),
        ];
    }

    private static long[][] Rows(NgramAddresser addresser, int[] tokens, int layerPosition)
    {
        var residues = new long[tokens.Length * addresser.Columns];
        addresser.Residues(tokens, [], layerPosition, residues);
        return [.. residues.Chunk(addresser.Columns)];
    }
}
