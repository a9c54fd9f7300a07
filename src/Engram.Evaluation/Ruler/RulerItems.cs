using Engram.Corpora.World;
using Engram.Tokenization;

namespace Engram.Evaluation.Ruler;

/// <summary>
/// Makes samples of a length in tokens of a model's own tokenizer. The same tokenizer, material, seed and length give the same samples.
/// </summary>
/// <param name="tokenizer">Counts the tokens.</param>
/// <param name="material">What texts are made of.</param>
/// <param name="length">Most tokens of a sample: one before the text, the text, and those that the answer may have.</param>
/// <param name="seed">What everything random follows from.</param>
internal sealed class RulerItems(Tokenizer tokenizer, RulerMaterial material, int length, long seed)
{
    /// <summary>The samples of a task, in order.</summary>
    /// <exception cref="ArgumentException">The length has no room for the shortest text.</exception>
    public IEnumerable<RulerItem> Make(RulerTask task, int samples, CancellationToken cancellation = default)
    {
        var (units, setting) = (0, WordListText.Setting.Published);
        for (var index = 0; index < samples; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            var item = Fit(task, index, units, ref setting) ?? throw NoRoom([task], []);
            units = item.Units;
            yield return item;
        }
    }

    /// <summary>Tells of all tasks that the length has no room for, before hours are spent on the others.</summary>
    /// <exception cref="ArgumentException">There are such tasks; the message names them and those that fit.</exception>
    public void RequireRoom(IReadOnlyList<RulerTask> tasks, CancellationToken cancellation = default)
    {
        var (fitting, without) = (new List<RulerTask>(), new List<RulerTask>());
        foreach (var task in tasks)
        {
            cancellation.ThrowIfCancellationRequested();
            var setting = WordListText.Setting.Published;
            (Fit(task, 0, 0, ref setting) is null ? without : fitting).Add(task);
        }
        if (without.Count > 0)
            throw NoRoom(without, fitting);
    }

    private ArgumentException NoRoom(IReadOnlyList<RulerTask> without, IReadOnlyList<RulerTask> fitting) =>
        new(
            $"{string.Join(", ", without.Select(task => task.Name))} {(without.Count == 1 ? "does" : "do")} not fit in {length:N0} tokens "
                + "with this tokenizer: the text without any haystack and the answer are longer. Give a greater length"
                + (fitting.Count == 0 ? "." : $", or ask only what fits: {string.Join(",", fitting.Select(task => task.Name))}."),
            nameof(length)
        );

    /// <summary>A sample; of common words one with fewer repetitions where the published ones have no room.</summary>
    private RulerItem? Fit(RulerTask task, int index, int guess, ref WordListText.Setting setting)
    {
        var item = Fit(task, index, guess, setting);
        return item is null && task.Name == "cwe" && setting == WordListText.Setting.Published
            ? Fit(task, index, guess, setting = WordListText.Setting.Short)
            : item;
    }

    private RulerItem? Fit(RulerTask task, int index, int guess, WordListText.Setting setting)
    {
        var drawing = Draw(task, index, setting);
        var (units, tokens) = LengthFit.Find(
            candidate => Tokens(drawing.Build(candidate)),
            length - task.NewTokens,
            guess,
            drawing.MostUnits
        );
        if (units == drawing.MostUnits)
            throw new ArgumentException(
                $"{task.Name}: {length:N0} tokens need more than {units:N0} words. Give longer word lists or a smaller length.",
                nameof(length)
            );
        return units < 0 ? null : new RulerItem(task, index, drawing.Build(units), units, tokens);
    }

    /// <summary>The text of a sample with any number of units.</summary>
    internal RulerDrawing Draw(RulerTask task, int index, WordListText.Setting setting)
    {
        var random = new WorldRandom(seed, $"{task.Name} {index}");
        return task.Name switch
        {
            "vt" => VariableText.Draw(random),
            "cwe" => WordListText.Draw(setting, material, random),
            "fwe" => CodedText.Draw(random),
            "qa_1" or "qa_2" => DocumentText.Draw(material.Questions(task), index, random),
            _ => NeedleText.Draw(task, material, random),
        };
    }

    internal int Tokens(RulerDraft draft) => 1 + tokenizer.Encode(draft.Prompt + draft.AnswerPrefix).Length;
}
