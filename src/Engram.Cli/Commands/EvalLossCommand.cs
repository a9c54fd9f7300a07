using Engram.Evaluation.Losses;
using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;

namespace Engram.Cli.Commands;

/// <summary>Loss on held-out text, with the memory on, off or exchanged for a control.</summary>
internal sealed class EvalLossCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Option<string> _data = CorpusInput.Prepared();
    private readonly Option<string> _memory = ModelInput.Use("on", "off", "shuffled", "random", "permuted");
    private readonly Option<int> _sequences = new("--sequences") { Description = "At most this many sequences, evenly spaced", HelpName = "N", DefaultValueFactory = _ => TrainSetting.Defaults.ValidationSequences };
    private readonly Option<int> _length = new("--length") { Description = "Tokens of one sequence", HelpName = "N", DefaultValueFactory = _ => TrainSetting.Defaults.Length };
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalLossCommand() : base("loss", "Measure the loss on the validation part of prepared data. The sequences are the same for every model.",
        "engram eval loss --model run/model --data data --threads 1",
        "engram eval loss --model run/model --data data --memory off --json")
    {
        _model.AddFolderTo(this);
        Add(_data);
        Add(_memory);
        Add(_sequences);
        Add(_length);
        _model.AddSettingsTo(this);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var corpus = PreparedCorpus.Open(parsed.GetRequiredValue(_data));
        using var model = _model.Open(parsed);
        var use = parsed.GetRequiredValue(_memory);
        using var memory = ModelInput.Memory(model, use);
        var loss = ValidationLoss.Measure(model, corpus, parsed.GetValue(_length), parsed.GetValue(_sequences), memory.Bank, cancellation);
        if (!double.IsFinite(loss.Nats))
            throw new InvalidDataException($"The loss is {loss.Nats}: weights or tables of the model hold values that are not finite. engram table verify finds those of tables.");
        if (parsed.GetValue(_json)) Terminal.Json(new { loss.Nats, loss.BitsPerByte, Perplexity = Math.Exp(loss.Nats), loss.Tokens, Memory = use });
        else Console.Out.WriteLine($"{loss.Nats:F4} nats per token, {loss.BitsPerByte:F4} bits per byte, perplexity {Math.Exp(loss.Nats):F2} over {loss.Tokens:N0} tokens (memory {use})");
    }
}
