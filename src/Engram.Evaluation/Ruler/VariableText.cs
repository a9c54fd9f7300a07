using System.Text;
using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>
/// Variables that get their value from one another, hidden in noise; all that hold a value are asked for. A small example of another chain,
/// with shorter names, stands in front.
/// </summary>
internal static class VariableText
{
    private const int Hops = 4;
    private const int ExampleUnits = 5;

    /// <summary>Draws a sample.</summary>
    public static RulerDrawing Draw(WorldRandom random)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var (example, chain) = (Chain.Draw(3, taken, random), Chain.Draw(5, taken, random));
        var shown = $"{Ask(example, ExampleUnits)}{Prefix(example)} {string.Join(' ', example.Names)}\n\n";
        return new RulerDrawing(units => new RulerDraft(shown + Ask(chain, units), Prefix(chain), chain.Names));
    }

    private static string Ask(Chain chain, int units) =>
        $"Follow the chains of assignments that are hidden in the text below.\n{chain.Text(units)}\nQuestion: which variables hold the value {chain.Value} in the text above?";

    private static string Prefix(Chain chain) =>
        $" Answer: by the chains of assignments above, {chain.Names.Length} variables hold the value {chain.Value}; they are:";

    private sealed record Chain(string Value, string[] Names, double[] Depths)
    {
        public static Chain Draw(int letters, HashSet<string> taken, WorldRandom random)
        {
            var names = new string[Hops + 1];
            for (var i = 0; i < names.Length; i++)
                do names[i] = RulerWords.Letters(letters, 'A', random);
                while (!taken.Add(names[i]));
            string value;
            do value = $"{10_000 + random.Below(90_000)}";
            while (!taken.Add(value));
            double[] depths = [.. names.Select(_ => random.Share())];
            Array.Sort(depths);
            return new Chain(value, names, depths);
        }

        /// <summary>Noise, the assignments in their order at their depths.</summary>
        public string Text(int units)
        {
            var (text, next) = (new StringBuilder(), 0);
            for (var i = 0; i <= units; i++)
            {
                for (; next < Names.Length && (i == units || Math.Round(Depths[next] * units) <= i); next++)
                    text.Append(text.Length == 0 ? "" : "\n")
                        .Append($"VAR {Names[next]} = {(next == 0 ? Value : $"VAR {Names[next - 1]}")}");
                if (i < units)
                    text.Append(text.Length == 0 ? "" : "\n").Append(NeedleText.Noise);
            }
            return text.ToString();
        }
    }
}
