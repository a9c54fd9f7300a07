using System.Text;
using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>Changes the text before it is split, in a row of steps. Immutable and thread-safe.</summary>
internal sealed class Normalizer
{
    private const string Supported = "NFC, NFD, NFKC, NFKD, Lowercase, Replace, Strip, StripAccents, Prepend, ByteLevel, Sequence";
    private const int MostSteps = 64;

    // A text may not grow beyond this factor and this constant. Normalisation of one character (U+FDFA) gives 18; more is a file that wants
    // to exhaust memory.
    private const int MostGrowth = 18;
    private const int MostAdded = 64;

    private readonly NormalizerStep[] _steps;

    private Normalizer(NormalizerStep[] steps) => _steps = steps;

    /// <summary>Whether the text becomes characters that stand for bytes.</summary>
    public bool MakesSymbols => _steps.Any(step => step is ByteSymbolText);

    /// <param name="text">Valid UTF-16.</param>
    /// <exception cref="InvalidDataException">The text grows out of all proportion.</exception>
    public string Apply(string text)
    {
        var longest = ((long)text.Length * MostGrowth) + MostAdded;
        foreach (var step in _steps)
            text = step.Apply(text, longest);
        return text;
    }

    /// <summary>Builds what a tokenizer.json describes; null when it changes nothing.</summary>
    /// <exception cref="InvalidDataException">An unknown type or a malformed field.</exception>
    public static Normalizer? FromJson(TokenizerComponent json)
    {
        var steps = new List<NormalizerStep>();
        if (json.Json.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined))
            Append(json, steps);
        return steps.Count == 0 ? null : new Normalizer([.. steps]);
    }

    private static void Append(TokenizerComponent json, List<NormalizerStep> steps)
    {
        if (json.Type == "Sequence")
            foreach (var child in json.Children("normalizers"))
                Append(child, steps);
        else if (steps.Count == MostSteps)
            throw json.Error($"more than {MostSteps} steps");
        else
            steps.Add(
                json.Type switch
                {
                    "NFC" => new UnicodeForm(NormalizationForm.FormC),
                    "NFD" => new UnicodeForm(NormalizationForm.FormD),
                    "NFKC" => new UnicodeForm(NormalizationForm.FormKC),
                    "NFKD" => new UnicodeForm(NormalizationForm.FormKD),
                    "Lowercase" => new Lowercase(),
                    "StripAccents" => new StripAccents(),
                    "Strip" => new Strip(json.Flag("strip_left", absent: true), json.Flag("strip_right", absent: true)),
                    "ByteLevel" => new ByteSymbolText(),
                    "Prepend" => new Prepend(json, json.Text("prepend")),
                    "Replace" => new Replace(json, json.CompiledPattern(), json.Text("content")),
                    _ => throw json.UnknownType(Supported),
                }
            );
    }
}
