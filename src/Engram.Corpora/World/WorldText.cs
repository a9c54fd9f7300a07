using System.Text;
using Engram.Corpora.Files;

namespace Engram.Corpora.World;

/// <summary>
/// The text of a world, document by document: several sentences under a heading that names a region, or a passage about strangers. Every
/// statement comes as often as the world says, and no subject twice within <see cref="WorldOptions.Window"/> tokens: what would come too
/// soon waits.
/// </summary>
/// <param name="world">What the text is about.</param>
public sealed class WorldText(SyntheticWorld world)
{
    private readonly WorldRandom _random = new(world.Options.Seed, "text");
    private readonly Schedule _schedule = new(world);
    private readonly LinkedList<(Topic Topic, int Index)> _waiting = new();
    private readonly Dictionary<int, long> _lastSpokenOf = [];
    private readonly StringBuilder _text = new();
    private long _passages;
    private bool _scheduled = true;

    /// <summary>Tokens written so far, counting one before each document.</summary>
    public long Tokens { get; private set; }

    /// <summary>The documents. They can be enumerated once.</summary>
    public IEnumerable<Document> Documents()
    {
        for (var number = 1; ; number++)
        {
            if (_passages > 0)
            {
                _passages--;
                yield return new Document($"world#{number}", Passage());
            }
            else if (_scheduled || _waiting.Count > 0)
            {
                // The last of them may hold nothing but passages that are still to come.
                if (Tale() is { } tale)
                    yield return new Document($"world#{number}", tale);
            }
            else
            {
                yield break;
            }
        }
    }

    private string? Tale()
    {
        var region = _random.Of(Lexicon.Regions);
        if (!_scheduled && _waiting.FirstOrDefault(item => item.Topic == Topic.Homograph) is { Topic: Topic.Homograph } first)
            region = world.HomographFacts[first.Index].Region!;
        Begin(Phrasing.Heading(region));
        var empty = _text.Length;
        var sentences = WorldBudget.FewestSentences + _random.Below(WorldBudget.MoreSentences);
        for (var i = 0; i < sentences && Take(region) is { } item; i++)
        {
            var (sentence, subject) = Sentence(item);
            Add(sentence);
            if (subject is not null)
                _lastSpokenOf[subject.Id] = Tokens;
        }

        return _text.Length > empty ? _text.ToString() : null;
    }

    /// <summary>
    /// What to speak of now: what has waited longest and fits, else what is next in turn, else, where everything has to wait, a sum.
    /// </summary>
    private (Topic Topic, int Index)? Take(string region)
    {
        for (var waiting = _waiting.First; waiting is not null; waiting = waiting.Next)
            if (Fits(waiting.Value, region))
            {
                _waiting.Remove(waiting);
                return waiting.Value;
            }

        while (_schedule.Next() is { } item)
        {
            if (item.Topic == Topic.Passage)
                _passages++;
            else if (Fits(item, region))
                return item;
            else
                _waiting.AddLast(item);
        }

        _scheduled = false;
        return _waiting.Count > 0 ? (Topic.Sum, 0) : null;
    }

    private bool Fits((Topic Topic, int Index) item, string region) =>
        item.Topic switch
        {
            Topic.Fact => IsFree(world.Facts[item.Index].Subject),
            Topic.TwoHop => IsFree(world.Compositions[item.Index].First.Subject),
            Topic.Homograph => world.HomographFacts[item.Index].Region == region && IsFree(world.HomographFacts[item.Index].Subject),
            _ => true,
        };

    private bool IsFree(Entity subject) => !_lastSpokenOf.TryGetValue(subject.Id, out var end) || Tokens - end >= world.Options.Window;

    private (string Text, Entity? Subject) Sentence((Topic Topic, int Index) item)
    {
        switch (item.Topic)
        {
            case Topic.Sum:
                var (a, b) = _random.Of(world.SumsInText);
                return ($"{Phrasing.Sum(a, b, _random)} {a + b}.", null);
            case Topic.TwoHop:
                var composition = world.Compositions[item.Index];
                return (
                    $"{Phrasing.TwoHop(composition, _random, forQuestion: false)} {composition.Second.Value}{Phrasing.Tail(_random)}",
                    composition.First.Subject
                );
            default:
                var fact = item.Topic == Topic.Fact ? world.Facts[item.Index] : world.HomographFacts[item.Index];
                return ($"{Phrasing.Statement(fact, _random, forQuestion: false)} {fact.Value}{Phrasing.Tail(_random)}", fact.Subject);
        }
    }

    private string Passage()
    {
        var strangers = Unseen();
        var passage = NotedPassage.About(world, strangers, _random);
        Begin(passage.Text);
        Add($"{passage.Recall} {passage.Answer}.");
        foreach (var stranger in strangers)
            _lastSpokenOf[stranger.Id] = Tokens;
        return _text.ToString();
    }

    /// <summary>Different strangers of whom the last window says nothing. The world has twice as many as a window can name.</summary>
    private List<Entity> Unseen()
    {
        var unseen = new List<Entity>();
        while (unseen.Count < WorldBudget.PassageStatements)
            if (_random.Of(world.Strangers) is var stranger && IsFree(stranger) && !unseen.Contains(stranger))
                unseen.Add(stranger);
        return unseen;
    }

    private void Begin(string heading)
    {
        _text.Clear();
        Tokens++;
        Add(heading);
    }

    private void Add(string sentence)
    {
        _text.Append(sentence);
        Tokens += WordTokens.Count(sentence);
    }
}
