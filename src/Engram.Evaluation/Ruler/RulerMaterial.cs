using System.Text.RegularExpressions;
using Engram.Corpora;
using Engram.Corpora.Files;
using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>A question that documents answer.</summary>
/// <param name="Question">The question.</param>
/// <param name="Answers">Any of them is right.</param>
/// <param name="Documents">What has to be among the documents, by number in the list of all.</param>
internal sealed record RulerQuestion(string Question, IReadOnlyList<string> Answers, IReadOnlyList<int> Documents);

/// <summary>Questions and all documents they may be asked over.</summary>
internal sealed record RulerQuestions(IReadOnlyList<RulerQuestion> Questions, IReadOnlyList<string> Documents);

/// <summary>
/// What the tasks are made of: what a folder of the user's holds, and for the rest own replacements: names of no meaning as words, the text
/// of a synthetic
/// world as essays, questions about such a world.
/// <list type="table">
/// <item><term>essays/</term><description>prose, as a corpus</description></item>
/// <item><term>wonderwords/adjectivelist.txt, nounlist.txt</term><description>a word a line</description></item>
/// <item><term>squad/*.json</term><description>SQuAD 1.1 or 2.0</description></item>
/// <item><term>hotpotqa/*.json</term><description>HotpotQA, distractor setting</description></item>
/// </list>
/// </summary>
internal sealed partial class RulerMaterial
{
    // Enough for 128k tokens; longer texts begin again.
    private const int OwnFacts = 3000;
    private const long OwnTokens = 200_000;

    private readonly string? _folder;
    private readonly Lazy<IReadOnlyList<string>> _essays;
    private readonly Lazy<RulerQuestions> _single;
    private readonly Lazy<RulerQuestions> _multi;
    private readonly Lazy<SyntheticWorld> _world = new(() => new SyntheticWorld(new WorldOptions { Facts = OwnFacts, Tokens = OwnTokens }));

    /// <param name="folder">The user's; null for none.</param>
    /// <param name="essays">A corpus in place of the folder's essays; null for those.</param>
    /// <param name="cancellation">Ends the reading, and the wait for a file that is a pipe.</param>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    public RulerMaterial(string? folder = null, CorpusSource? essays = null, CancellationToken cancellation = default)
    {
        if (folder is not null && !Directory.Exists(folder))
            throw new DirectoryNotFoundException(
                $"There is no folder '{folder}' with material for RULER; it may hold essays/, wonderwords/, squad/ and hotpotqa/."
            );
        _folder = folder;
        var given = essays ?? (Under("essays") is { } path ? CorpusSource.Open(path) : null);
        var words = Under("wonderwords") is { } lists ? ReadWords(lists, cancellation) : null;
        Words = words ?? RulerWords.Own;
        _essays = new(() =>
            Sentences(
                given is null
                    ? [.. new WorldText(_world.Value).Documents().Select(document => document.Text)]
                    : given.Read(cancellation: cancellation).Select(document => document.Text)
            )
        );
        _single = new(() =>
            Under("squad") is { } squad ? RulerQuestionFiles.Squad(squad, cancellation) : OwnQuestions.Single(_world.Value)
        );
        _multi = new(() =>
            Under("hotpotqa") is { } hotpot ? RulerQuestionFiles.HotpotQa(hotpot, cancellation) : OwnQuestions.TwoHop(_world.Value)
        );
        (HasEssays, HasWords, HasSquad, HasHotpot) = (
            given is not null,
            words is not null,
            Under("squad") is not null,
            Under("hotpotqa") is not null
        );
    }

    /// <summary>Words of keys and lists.</summary>
    public RulerWords Words { get; }

    private bool HasEssays { get; }

    private bool HasWords { get; }

    private bool HasSquad { get; }

    private bool HasHotpot { get; }

    /// <summary>Words of lists: the user's if they suffice.</summary>
    public IReadOnlyList<string> ListWords => Words.SufficeForLists ? Words.All : RulerWords.Own.All;

    /// <summary>Prose, a sentence each.</summary>
    public IReadOnlyList<string> Essays => _essays.Value;

    /// <summary>The questions of a task.</summary>
    public RulerQuestions Questions(RulerTask task) => task.Name == "qa_1" ? _single.Value : _multi.Value;

    /// <summary>What a task is made of beside its own wording: what the user gives, and what is replaced.</summary>
    public (IReadOnlyList<string> Given, IReadOnlyList<string> Own) Of(RulerTask task)
    {
        (string Name, bool Needed, bool Given)[] parts =
        [
            (
                "words",
                task.Name == "cwe" || (task.Haystack != Haystack.Own && task.Name != "vt" && task.KeyWords == NeedleWords.Words),
                task.Name == "cwe" ? HasWords && Words.SufficeForLists : HasWords
            ),
            ("essays", task.Haystack == Haystack.Essay, HasEssays),
            ("questions", task.Name is "qa_1" or "qa_2", task.Name == "qa_1" ? HasSquad : HasHotpot),
        ];
        return (
            [.. parts.Where(part => part.Needed && part.Given).Select(part => part.Name)],
            [.. parts.Where(part => part.Needed && !part.Given).Select(part => part.Name)]
        );
    }

    private string? Under(string name) =>
        _folder is not null && Directory.Exists(Path.Combine(_folder, name)) ? Path.Combine(_folder, name) : null;

    private static RulerWords ReadWords(string folder, CancellationToken cancellation)
    {
        return new RulerWords(Lines("adjectivelist.txt"), Lines("nounlist.txt"));

        string[] Lines(string name)
        {
            var path = Path.Combine(folder, name);
            string[] lines = File.Exists(path)
                ?
                [
                    .. InputFile
                        .ReadAllText(path, cancellation)
                        .Split('\n')
                        .Select(line => line.Trim())
                        .Where(line => line.Length > 0)
                        .Distinct(StringComparer.OrdinalIgnoreCase),
                ]
                : [];
            return lines.Length >= 20
                ? lines
                : throw new InvalidDataException(
                    $"{path}: {lines.Length} words, a word a line; keys need at least 20. Add words or remove the folder."
                );
        }
    }

    private static IReadOnlyList<string> Sentences(IEnumerable<string> texts)
    {
        string[] sentences =
        [
            .. texts
                .SelectMany(text => SentenceEnd().Split(text))
                .Select(sentence => White().Replace(sentence, " ").Trim())
                .Where(sentence => sentence.Length > 0),
        ];
        return sentences.Length > 0 ? sentences : throw new InvalidDataException("The essays for RULER hold no text. Give prose.");
    }

    [GeneratedRegex(@"(?<=[.!?]['""”’)]?)\s+")]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@"\s+")]
    private static partial Regex White();
}
