using System.CommandLine;
using System.Diagnostics;
using Engram.Cli.CommandLine;
using Engram.Corpora.World;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>A synthetic world: text whose facts are known, and questions about them.</summary>
internal sealed class DataWorldCommand : CliCommand
{
    private const double BytesPerToken = 5.0;

    private static readonly WorldOptions Defaults = new();

    private readonly Option<string> _output = new("--output")
    {
        Description = "The folder to write; it must not exist, be empty, or hold the same world",
        HelpName = "FOLDER",
        Required = true,
    };
    private readonly Option<long> _seed = new("--seed")
    {
        Description = "What everything random follows from",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Seed,
    };
    private readonly Option<int> _facts = new("--facts")
    {
        Description = "Facts that hold everywhere",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Facts,
    };
    private readonly Option<double> _contiguous = new("--contiguous")
    {
        Description = "Share of the facts that a contiguous n-gram tells",
        HelpName = "SHARE",
        DefaultValueFactory = _ => Defaults.Contiguous,
    };
    private readonly Option<double> _exponent = new("--exponent")
    {
        Description = "Exponent of the facts' frequencies by rank; 0 states all alike",
        HelpName = "X",
        DefaultValueFactory = _ => Defaults.Exponent,
    };
    private readonly Option<int> _window = new("--window")
    {
        Description = "Tokens within which no subject occurs twice",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Window,
    };
    private readonly Option<long> _tokens = new("--tokens")
    {
        Description = "Length of the world's text, in tokens of its own tokenizer",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Tokens,
    };
    private readonly Option<long?> _size = ByteSize.Option("--size", "Length of the world's text in bytes, in place of --tokens");
    private readonly Option<int> _questions = new("--questions")
    {
        Description = "Questions of each kind",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Questions,
    };
    private readonly Option<string?> _mix = new("--mix")
    {
        Description = "Real text to mix in: a file or folder as engram data prepare takes",
        HelpName = "SOURCE",
    };
    private readonly Option<double> _ratio = new("--ratio")
    {
        Description = "Share of real text among all bytes; the world keeps its length",
        HelpName = "SHARE",
        DefaultValueFactory = _ => WorldFolder.DefaultRatio,
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public DataWorldCommand()
        : base(
            "world",
            "Write a synthetic world: text whose facts are known, the facts, and questions about them. The same options give the same "
                + "bytes.",
            "engram data world --output world --facts 2000 --contiguous 0.5 --tokens 4000000",
            "engram data world --output world --seed 2 --facts 500 --size 4MiB --mix novels --ratio 0.5"
        )
    {
        Add(_output);
        Add(_seed);
        Add(_facts);
        Add(_contiguous);
        Add(_exponent);
        Add(_window);
        Add(_tokens);
        Add(_size);
        Add(_questions);
        Add(_mix);
        Add(_ratio);
        Add(_json);
        Validators.Add(given =>
        {
            if (given.GetResult(_size) is { Implicit: false } && given.GetResult(_tokens) is { Implicit: false })
                given.AddError("Give --tokens or --size, not both.");
            if (given.GetResult(_ratio) is { Implicit: false } && given.GetResult(_mix) is null)
                given.AddError("--ratio needs --mix.");
        });
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var options = new WorldOptions
        {
            Seed = parsed.GetValue(_seed),
            Facts = parsed.GetValue(_facts),
            Contiguous = parsed.GetValue(_contiguous),
            Exponent = parsed.GetValue(_exponent),
            Window = parsed.GetValue(_window),
            Tokens = parsed.GetValue(_size) is { } bytes ? (long)(bytes / BytesPerToken) : parsed.GetValue(_tokens),
            Questions = parsed.GetValue(_questions),
        };
        var folder = parsed.GetRequiredValue(_output);
        var mix = parsed.GetValue(_mix) is { } source ? CorpusInput.Open(source, null, cancellation) : null;
        var start = Stopwatch.GetTimestamp();
        WorldSummary summary;
        using (
            var line = new ProgressLine<long>(tokens =>
                $"writing: {tokens:N0} of about {options.Tokens:N0} tokens{TimeLeft.Of(start, tokens, options.Tokens)}"
            )
        )
            summary = WorldFolder.Write(options, folder, mix, parsed.GetValue(_ratio), line, cancellation);
        if (parsed.GetValue(_json))
            Terminal.Json(summary);
        else
            Write(folder, summary);
    }

    private static void Write(string folder, WorldSummary summary)
    {
        Console.Out.WriteLine(
            $"{summary.Facts:N0} facts, {summary.ContiguousFacts:N0} of them told by a contiguous n-gram, each stated "
                + $"{summary.LeastExposures:N0} to {summary.MostExposures:N0} times; "
                + $"{summary.HomographFacts:N0} about shared names; {summary.Compositions:N0} two-hops; {summary.KnowledgeBits:N0} bits "
                + "of knowledge."
        );
        Console.Out.WriteLine(
            $"{summary.Documents:N0} documents, {summary.Tokens:N0} tokens of the world with a vocabulary of {summary.VocabularySize:N0}, "
                + $"{summary.TextBytes:N0} bytes{(summary.Ratio > 0 ? $", {summary.Ratio:P0} of them real text" : "")}."
        );
        var table = new Table().AddColumn("questions").AddColumn(new TableColumn("number").RightAligned());
        foreach (var (kind, count) in summary.Questions)
            table.AddRow(kind, $"{count:N0}");
        Terminal.Answer.Write(table);
        Console.Out.WriteLine(
            $"Next: engram data prepare {Terminal.Word(Path.Combine(folder, WorldFolder.Text))} --tokenizer {Terminal.Word(folder)} "
                + "--output data"
        );
    }
}
