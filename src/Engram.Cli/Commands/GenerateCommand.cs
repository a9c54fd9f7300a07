using System.CommandLine;
using System.Text;
using Engram.Cli.CommandLine;
using Engram.Corpora.Files;
using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Tokenization;

namespace Engram.Cli.Commands;

/// <summary>Continues a text.</summary>
internal sealed class GenerateCommand : CliCommand
{
    private const string Stdin = "-";

    private static readonly SamplingOptions Defaults = new();

    private readonly ModelInput _model = new();
    private readonly Option<string?> _prompt = new("--prompt") { Description = "The text to continue; may be empty", HelpName = "TEXT" };
    private readonly Option<string?> _file = new("--file")
    {
        Description = "A file with the text to continue, UTF-8; - reads it from stdin. A line break at its end is left out",
        HelpName = "PATH",
    };
    private readonly Option<bool> _interactive = new("--interactive")
    {
        Description = "Continue one line of stdin after the other, each a text of its own, until stdin ends",
    };
    private readonly Option<double> _temperature = new("--temperature")
    {
        Description = "Divides the logits; 0 always takes the most likely token",
        HelpName = "T",
        DefaultValueFactory = _ => Defaults.Temperature,
    };
    private readonly Option<int> _topK = new("--top-k")
    {
        Description = "Draw from so many most likely tokens; 0 from all",
        HelpName = "K",
        DefaultValueFactory = _ => Defaults.TopK,
    };
    private readonly Option<double> _topP = new("--top-p")
    {
        Description = "Draw from the most likely tokens that reach this probability together",
        HelpName = "P",
        DefaultValueFactory = _ => Defaults.TopP,
    };
    private readonly Option<double> _minP = new("--min-p")
    {
        Description = "Draw from tokens at least so likely as this share of the most likely one's probability",
        HelpName = "P",
        DefaultValueFactory = _ => Defaults.MinP,
    };
    private readonly Option<double> _repetitionPenalty = new("--repetition-penalty")
    {
        Description = "Above 1, tokens that the text holds already are less likely",
        HelpName = "X",
        DefaultValueFactory = _ => Defaults.RepetitionPenalty,
    };
    private readonly Option<string[]> _stop = new("--stop")
    {
        Description = "End where this text appears, without it; may be given several times",
        HelpName = "TEXT",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<int> _seed = new("--seed")
    {
        Description = "The same seed gives the same text",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.Seed,
    };
    private readonly Option<int> _maxNewTokens = new("--max-new-tokens")
    {
        Description = "Most tokens to generate",
        HelpName = "N",
        DefaultValueFactory = _ => Defaults.MaxNewTokens,
    };
    private readonly Option<string> _memory = ModelInput.Use();
    private readonly Option<string> _typedTokens = TokenizerInput.TypedTokens();
    private readonly Option<bool> _json = CommonOptions.Json();

    public GenerateCommand()
        : base(
            "generate",
            "Continue a text. Only the new text goes to stdout, as it is generated.",
            "engram generate --model run/model --prompt \"The horse\"",
            "engram generate --model run/model --prompt \"The horse\" --temperature 0 --max-new-tokens 40 --stop \".\" --memory off",
            "engram generate --model run/model --file prompt.txt --top-k 40 --min-p 0.05 --seed 1 --json"
        )
    {
        _model.AddFolderTo(this);
        Add(_prompt);
        Add(_file);
        Add(_interactive);
        Validators.Add(given =>
        {
            var count = new Option[] { _prompt, _file, _interactive }.Count(option => given.GetResult(option) is { Implicit: false });
            if (count != 1)
                given.AddError("One of --prompt, --file and --interactive says what to continue.");
        });
        Add(_temperature);
        Add(_topK);
        Add(_topP);
        Add(_minP);
        Add(_repetitionPenalty);
        Add(_stop);
        Add(_seed);
        Add(_maxNewTokens);
        Add(_memory);
        Add(_typedTokens);
        _model.AddEngineTo(this);
        _model.AddSettingsTo(this);
        Add(_json);
    }

    public override string AfterInterruption(ParseResult parsed) => "The text ends here.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var options = new SamplingOptions
        {
            Temperature = parsed.GetValue(_temperature),
            TopK = parsed.GetValue(_topK),
            TopP = parsed.GetValue(_topP),
            MinP = parsed.GetValue(_minP),
            RepetitionPenalty = parsed.GetValue(_repetitionPenalty),
            Stop = parsed.GetRequiredValue(_stop),
            Seed = parsed.GetValue(_seed),
            MaxNewTokens = parsed.GetValue(_maxNewTokens),
        }.Validated();
        if (_model.IsManaged(parsed))
        {
            using var model = _model.OpenManaged(parsed);
            using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
            Continue(parsed, new Engram.Inference.TextGenerator(model), memory.Bank, options, cancellation);
        }
        else
        {
            using var model = _model.Open(parsed);
            using var memory = ModelInput.Memory(parsed, _memory, model.Memory);
            Continue(parsed, new Engram.Torch.Generation.TextGenerator(model), memory.Bank, options, cancellation);
        }
    }

    private void Continue(
        ParseResult parsed,
        TextGeneration generator,
        MemoryBank? memory,
        SamplingOptions options,
        CancellationToken cancellation
    )
    {
        var (typed, json) = (TokenizerInput.TypedTokensOf(parsed.GetRequiredValue(_typedTokens)), parsed.GetValue(_json));
        if (!parsed.GetValue(_interactive))
        {
            One(Prompt(parsed, cancellation), generator, memory, options, typed, json, cancellation);
            return;
        }

        while (Line(cancellation) is { } line)
            One(line, generator, memory, options, typed, json, cancellation);
    }

    private string Prompt(ParseResult parsed, CancellationToken cancellation) =>
        parsed.GetValue(_file) switch
        {
            null => parsed.GetValue(_prompt)!,
            Stdin => WithoutLastBreak(Terminal.ReadInput(cancellation)),
            var path => WithoutLastBreak(Terminal.ReadFile(path, cancellation)),
        };

    // An editor's or echo's end of the last line is not part of the text: what follows it would begin on a new line.
    private static string WithoutLastBreak(string text) =>
        text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2]
        : text.EndsWith('\n') ? text[..^1]
        : text;

    private static string? Line(CancellationToken cancellation)
    {
        Terminal.RequireInput();
        if (!Console.IsInputRedirected)
            Terminal.Say("> ");
        return InputFile.Wait(Console.In.ReadLine, cancellation);
    }

    private static void One(
        string prompt,
        TextGeneration generator,
        MemoryBank? memory,
        SamplingOptions options,
        TypedTokens typed,
        bool json,
        CancellationToken cancellation
    )
    {
        var text = new StringBuilder();
        foreach (var piece in generator.Stream(prompt, options, memory, typed, cancellation))
        {
            if (json)
                text.Append(piece);
            else
                Console.Out.Write(piece);
        }
        if (!json)
            Console.Out.WriteLine();
        cancellation.ThrowIfCancellationRequested();

        var speed = generator.GenerationTime > TimeSpan.Zero ? (generator.GeneratedTokens - 1) / generator.GenerationTime.TotalSeconds : 0;
        if (json)
            Terminal.Json(
                new
                {
                    Prompt = prompt,
                    Text = text.ToString(),
                    generator.PromptTokens,
                    generator.GeneratedTokens,
                    FinishReason = generator.Finish,
                    TokensPerSecond = speed,
                }
            );
        else
            Terminal.Note(
                $"{generator.GeneratedTokens:N0} tokens, {speed:N0} tokens/s"
                    + (
                        generator.Finish == FinishReason.Context
                            ? "; the context is full, which ended the text before --max-new-tokens"
                            : ""
                    )
            );
    }
}
