using System.Text;
using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>
/// Needles in a haystack: sentences that give values to keys, hidden in noise, in prose, or among their like; some keys are asked for.
/// </summary>
internal static class NeedleText
{
    /// <summary>The haystack of <see cref="Haystack.Noise"/>, one unit.</summary>
    internal const string Noise =
        "Grass grows green. Above it the sky is blue. The sun shines yellow. This way we go. And back again we come.";

    /// <summary>Depths are drawn from so many, even from the beginning to the end of the text.</summary>
    internal const int Depths = 40;

    /// <summary>One sentence of the haystack of needles, and of any needle.</summary>
    internal static string Needle(RulerTask task, string key, string value) =>
        $"One of the special magic {Plural(task)} for {key} is: {value}.";

    /// <summary>Draws a sample: the text with any number of units.</summary>
    public static RulerDrawing Draw(RulerTask task, RulerMaterial material, WorldRandom random)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        string[] keys = [.. Enumerable.Range(0, task.Keys).Select(_ => New(task.KeyWords))];
        var values = keys.ToDictionary(
            key => key,
            _ => Enumerable.Range(0, task.Values).Select(_ => New(task.ValueWords)).ToArray(),
            StringComparer.Ordinal
        );
        var needles = keys.SelectMany(key => values[key].Select(value => Needle(task, key, value))).ToArray();
        random.Shuffle(needles);
        var asked = keys.ToArray();
        random.Shuffle(asked);
        asked = asked[..task.Queries];

        // In prose the depths are a choice of fixed ones, which are reported; elsewhere any place will do.
        double[] depths;
        if (task.Haystack == Haystack.Essay)
        {
            var all = Enumerable.Range(0, Depths).Select(i => Math.Round(100.0 * i / (Depths - 1))).ToArray();
            random.Shuffle(all);
            depths = all[..needles.Length];
        }
        else
        {
            depths = [.. needles.Select(_ => 100 * random.Share())];
        }

        Array.Sort(depths);
        var others = new List<string>();
        return new RulerDrawing(units => new RulerDraft(
            Prompt(task, Text(units), asked),
            Prefix(task, asked),
            [.. asked.SelectMany(key => values[key])]
        )
        {
            Depths = depths,
        });

        string New(NeedleWords kind)
        {
            string word;
            do word = material.Words.Draw(kind, random);
            while (!taken.Add(word));
            return word;
        }

        string Text(int units)
        {
            while (task.Haystack == Haystack.Needles && others.Count < units)
                others.Add(Needle(task, New(task.KeyWords), New(task.ValueWords)));
            var (text, next) = (new StringBuilder(), 0);
            for (var i = 0; i <= units; i++)
            {
                for (; next < needles.Length && (i == units || Math.Round(depths[next] / 100 * units) <= i); next++)
                    Append(needles[next]);
                if (i < units)
                    Append(
                        task.Haystack switch
                        {
                            Haystack.Noise => Noise,
                            Haystack.Essay => material.Essays[i % material.Essays.Count],
                            _ => others[i],
                        }
                    );
            }
            return text.ToString();

            // Prose stays prose; noise and needles are lines.
            void Append(string piece) =>
                text.Append(
                        text.Length == 0 ? ""
                        : task.Haystack == Haystack.Essay ? " "
                        : "\n"
                    )
                    .Append(piece);
        }
    }

    private static string Prompt(RulerTask task, string text, string[] asked) =>
        IsSingle(task)
            ? $"A special magic {Singular(task)} is hidden in the text below. Keep it in mind: the quiz afterwards is about it.\n"
                + $"{text}\nWhich special magic {Singular(task)} for {asked[0]} does the text mention?"
            : $"Some special magic {Plural(task)} are hidden in the text below. Keep them in mind: the quiz afterwards is about them.\n"
                + $"{text}\nWhich are all the special magic {Plural(task)} for {List(asked)} that the text mentions?";

    private static string Prefix(RulerTask task, string[] asked) =>
        IsSingle(task)
            ? $" The special magic {Singular(task)} for {asked[0]} that the text mentions is"
            : $" The special magic {Plural(task)} for {List(asked)} that the text mentions are";

    private static bool IsSingle(RulerTask task) => task.Queries * task.Values == 1;

    private static string List(string[] words) => words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} and {words[^1]}";

    private static string Plural(RulerTask task) => task.ValueWords == NeedleWords.Numbers ? "numbers" : "uuids";

    private static string Singular(RulerTask task) => Plural(task)[..^1];
}
