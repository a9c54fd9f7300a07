using System.CommandLine;
using System.Text;
using Engram.Cli.CommandLine;
using Engram.Models.Sampling;
using Engram.Torch.Generation;

namespace Engram.Cli.Commands;

/// <summary>Continues a text.</summary>
internal sealed class GenerateCommand : CliCommand
{
    private static readonly SamplingOptions Defaults = new();

    private readonly ModelInput _model = new();
    private readonly Option<string> _prompt = new("--prompt") { Description = "The text to continue; may be empty", HelpName = "TEXT", Required = true };
    private readonly Option<double> _temperature = new("--temperature") { Description = "Divides the logits; 0 always takes the most likely token", HelpName = "T", DefaultValueFactory = _ => Defaults.Temperature };
    private readonly Option<double> _topP = new("--top-p") { Description = "Draw from the most likely tokens that reach this probability together", HelpName = "P", DefaultValueFactory = _ => Defaults.TopP };
    private readonly Option<int> _seed = new("--seed") { Description = "The same seed gives the same text", HelpName = "N", DefaultValueFactory = _ => Defaults.Seed };
    private readonly Option<int> _maxNewTokens = new("--max-new-tokens") { Description = "Most tokens to generate", HelpName = "N", DefaultValueFactory = _ => Defaults.MaxNewTokens };
    private readonly Option<string> _memory = ModelInput.Use("on", "off", "shuffled", "random", "permuted");
    private readonly Option<string> _typedTokens = TokenizerInput.TypedTokens();
    private readonly Option<bool> _json = CommonOptions.Json();

    public GenerateCommand() : base("generate", "Continue a text. Only the new text goes to stdout, as it is generated.",
        "engram generate --model run/model --prompt \"The horse\"",
        "engram generate --model run/model --prompt \"The horse\" --temperature 0.8 --top-p 0.95 --seed 1 --memory off")
    {
        _model.AddFolderTo(this);
        Add(_prompt);
        Add(_temperature);
        Add(_topP);
        Add(_seed);
        Add(_maxNewTokens);
        Add(_memory);
        Add(_typedTokens);
        _model.AddSettingsTo(this);
        Add(_json);
    }

    public override string AfterInterruption(ParseResult parsed) => "The text ends here.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var options = new SamplingOptions
        {
            Temperature = parsed.GetValue(_temperature), TopP = parsed.GetValue(_topP), Seed = parsed.GetValue(_seed), MaxNewTokens = parsed.GetValue(_maxNewTokens),
        }.Validated();
        var (prompt, json) = (parsed.GetRequiredValue(_prompt), parsed.GetValue(_json));
        using var model = _model.Open(parsed);
        using var memory = ModelInput.Memory(model, parsed.GetRequiredValue(_memory));
        var generator = new TextGenerator(model);
        var text = new StringBuilder();
        foreach (var piece in generator.Stream(prompt, options, memory.Bank, TokenizerInput.TypedTokensOf(parsed.GetRequiredValue(_typedTokens)), cancellation))
        {
            if (json) text.Append(piece);
            else Console.Out.Write(piece);
        }
        if (!json) Console.Out.WriteLine();
        cancellation.ThrowIfCancellationRequested();

        var speed = generator.GenerationTime > TimeSpan.Zero ? (generator.GeneratedTokens - 1) / generator.GenerationTime.TotalSeconds : 0;
        if (json) Terminal.Json(new { Prompt = prompt, Text = text.ToString(), generator.PromptTokens, generator.GeneratedTokens, TokensPerSecond = speed });
        else Terminal.Note($"{generator.GeneratedTokens:N0} tokens, {speed:N0} tokens/s");
    }
}
