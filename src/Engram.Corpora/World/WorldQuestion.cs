namespace Engram.Corpora.World;

/// <summary>
/// One question of a world. A model is to continue <see cref="Prompt"/>; the answer follows behind one space. Asked with choices, one of
/// which is the answer, chance is one in their number.
/// </summary>
public sealed record WorldQuestion
{
    /// <summary>Which set it belongs to.</summary>
    public required string Kind { get; init; }

    /// <summary>Its number in the set.</summary>
    public required int Index { get; init; }

    /// <summary>What has to be read first; null where nothing has.</summary>
    public string? Passage { get; init; }

    /// <summary>The beginning of a sentence.</summary>
    public required string Question { get; init; }

    /// <summary>Passage and question, one space between.</summary>
    public string Prompt => Passage is null ? Question : $"{Passage} {Question}";

    /// <summary>What the sentence goes on with.</summary>
    public required string Answer { get; init; }

    /// <summary>Possible answers of the same kind, all different.</summary>
    public required IReadOnlyList<string> Choices { get; init; }

    /// <summary>Which of them is the answer.</summary>
    public required int Gold { get; init; }

    /// <summary>How often the text states what is asked: the fact, or for two hops the rarer one; 0 where it states it never.</summary>
    public required long Exposures { get; init; }

    /// <summary>How the text states the fact (for two hops, the first); null where no fact is asked for.</summary>
    public FactKey? Key { get; init; }

    /// <summary>Whether the text states a two-hop sentence; null for other questions.</summary>
    public CompositionSplit? Split { get; init; }

    /// <summary>The region that tells which of two items of one name is meant.</summary>
    public string? Region { get; init; }

    /// <summary>What the text states where the passage says otherwise; null where it does not.</summary>
    public string? Trained { get; init; }

    /// <summary>The facts that answer it, by number.</summary>
    public IReadOnlyList<int> Facts { get; init; } = [];

    /// <summary>
    /// log₂ of the number of values that it could have: what a reader who knows the possible values learns from the answer.
    /// </summary>
    public required double Bits { get; init; }
}
