namespace Engram.Corpora.World;

/// <summary>How many sentences of each kind make up the length that was asked for.</summary>
internal sealed class WorldBudget
{
    /// <summary>Sentences of a document about a region: the fewest, and how many more there may be.</summary>
    public const int FewestSentences = 5;
    public const int MoreSentences = 5;

    /// <summary>Statements of a passage.</summary>
    public const int PassageStatements = 4;

    /// <summary>Windows have room for this share of a subject's largest possible frequency; the rest is leeway for chance.</summary>
    private const double Density = 0.8;

    // Mean tokens of a sentence: opening 3, name and relation 3, value 1 (two in a sixth of the facts), tail 2.6 with the full stop.
    private const double Opening = 3;
    private const double Contiguous = Opening + 3 + 1.3 + TailTokens;
    private const double Insertion = 5;
    private const double ScatteredWords = 5;
    private const double TailTokens = 1 + 15 / 8.0;
    private const double TwoHopTokens = Opening + 7 + 1 + TailTokens;
    private const double SumTokens = 3 + 2.9 + 1 + 2.9 + 1 + 3.5 + 1;
    private const double NoteTokens = 3 + 1 + PassageStatements * (Opening + 3 + 1 + TailTokens) + 4 + 3 + 1 + 1;

    // Heading of six words and a full stop, token before the document.
    private const double HeadingShare = 7.0 / (FewestSentences + (MoreSentences - 1) / 2.0);

    private readonly WorldOptions _options;

    public WorldBudget(WorldOptions options, int homographFacts)
    {
        _options = options;
        var fact = Contiguous + (1 - options.Contiguous) * (Insertion + ScatteredWords / 2);
        FactSentences = Sentences(options.FactShare, fact + HeadingShare);
        if (FactSentences < options.Facts)
            throw new ArgumentOutOfRangeException(
                nameof(WorldOptions.Tokens),
                options.Tokens,
                $"{options.Tokens:N0} tokens have room for {FactSentences:N0} statements, fewer than {options.Facts:N0} facts. Give fewer "
                    + "facts or more tokens."
            );
        TwoHopSentences = Sentences(options.TwoHopShare, TwoHopTokens + HeadingShare);
        HomographSentences = Sentences(options.HomographShare, Opening + 4 + TailTokens + HeadingShare);
        if (HomographSentences < homographFacts)
            throw new ArgumentOutOfRangeException(
                nameof(WorldOptions.Tokens),
                options.Tokens,
                $"{options.Tokens:N0} tokens state {HomographSentences:N0} facts about shared names, and there are {homographFacts:N0}. "
                    + "Give fewer facts or more tokens."
            );
        Sums = Sentences(options.ArithmeticShare, SumTokens + HeadingShare);
        Passages = Sentences(options.PassageShare, NoteTokens);
    }

    public long FactSentences { get; }

    public long TwoHopSentences { get; }

    public long HomographSentences { get; }

    public long Sums { get; }

    public long Passages { get; }

    /// <summary>Refuses frequencies that no order of sentences could keep a window apart.</summary>
    /// <exception cref="ArgumentException">A subject is too frequent, or passages need more strangers than there are.</exception>
    public void RequireRoom(IReadOnlyList<Fact> facts)
    {
        var bySubject = facts
            .GroupBy(fact => fact.Subject)
            .Select(group => (Name: group.Key.Name, Count: group.Sum(fact => fact.Exposures)))
            .MaxBy(subject => subject.Count);
        var most = (long)(Density * _options.Tokens / (_options.Window + 2 * Contiguous));
        if (bySubject.Count > most && _options.Window > 0)
            throw new ArgumentOutOfRangeException(
                nameof(WorldOptions.Window),
                _options.Window,
                $"{bySubject.Name} would be spoken of {bySubject.Count:N0} times, and at most {most:N0} times without being met twice in "
                    + $"{_options.Window} tokens. Give a smaller window, a smaller exponent or more facts."
            );
        var inWindow = PassageStatements * (1 + _options.Window * _options.PassageShare / NoteTokens);
        var strangers = Math.Max(64, facts.Count / 12);
        if (2 * inWindow > strangers)
            throw new ArgumentOutOfRangeException(
                nameof(WorldOptions.Window),
                _options.Window,
                $"A window of {_options.Window} tokens needs more strangers in passages than there are. Give a smaller one."
            );
    }

    private long Sentences(double share, double tokens) => (long)(share * _options.Tokens / tokens);
}
