namespace Engram.Evaluation.Ruler;

/// <summary>A text and a question, before its length is fitted.</summary>
/// <param name="Prompt">Instruction, text, question.</param>
/// <param name="AnswerPrefix">The beginning of the answer, part of what the model reads.</param>
/// <param name="References">What the answer has to contain.</param>
internal sealed record RulerDraft(string Prompt, string AnswerPrefix, IReadOnlyList<string> References)
{
    /// <summary>Where needles stand, in percent of the text; empty where that is left to chance.</summary>
    public IReadOnlyList<double> Depths { get; init; } = [];
}

/// <summary>A sample of any length.</summary>
/// <param name="Build">The text with so many units of haystack. More units make a longer text; everything else stays.</param>
/// <param name="MostUnits">What there is of haystack.</param>
internal sealed record RulerDrawing(Func<int, RulerDraft> Build, int MostUnits = int.MaxValue);

/// <summary>One sample of a task.</summary>
/// <param name="Task">Of which task.</param>
/// <param name="Index">Its number.</param>
/// <param name="Draft">Text, question and references.</param>
/// <param name="Units">Pieces of haystack in the text: one more would be too long.</param>
/// <param name="Tokens">What the model reads: prompt, prefix, and the token before them.</param>
internal sealed record RulerItem(RulerTask Task, int Index, RulerDraft Draft, int Units, int Tokens)
{
    /// <summary>All that the model reads.</summary>
    public string Context => Draft.Prompt + Draft.AnswerPrefix;
}
