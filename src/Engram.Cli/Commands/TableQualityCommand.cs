using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Tables.Formats;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>What a trained model loses when its tables are stored in fewer bits.</summary>
internal sealed class TableQualityCommand : CliCommand
{
    private readonly ModelInput _model = new();
    private readonly Option<string> _data = CorpusInput.Prepared();
    private readonly Option<RowFormat[]> _formats = new("--format")
    {
        Description =
            "A format to measure, with the values per scale behind a slash: float32, bfloat16, fp8, int8, int4/16, int4/row; may be "
            + $"repeated [default: {string.Join(", ", TableQuality.Formats)}]",
        HelpName = "FORMAT",
        CustomParser = given =>
        {
            try
            {
                return [.. given.Tokens.Select(token => RowFormat.Parse(token.Value))];
            }
            catch (FormatException e)
            {
                given.AddError(e.Message);
                return [];
            }
        },
    };
    private readonly Option<int> _limit = new("--limit")
    {
        Description = "At most this many sequences, evenly spaced",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.ValidationSequences,
    };
    private readonly Option<int> _length = new("--length")
    {
        Description = "Tokens of one sequence",
        HelpName = "N",
        DefaultValueFactory = _ => TrainSetting.Defaults.Length,
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public TableQualityCommand()
        : base(
            "quality",
            "Measure the loss of a trained model with its tables in each number format, everything else equal. The tables are converted "
                + "in memory; the model folder stays as it is.",
            "engram table quality --model run/model --data data --threads 1",
            "engram table quality --model run/model --data data --format int4/16 --format int4/row --json"
        )
    {
        _model.AddFolderTo(this);
        Add(_data);
        Add(_formats);
        Add(_limit);
        Add(_length);
        _model.AddSettingsTo(this);
        Add(_json);
        CommonOptions.AtLeastOne(_limit);
        CommonOptions.AtLeastOne(_length);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var corpus = PreparedCorpus.Open(parsed.GetRequiredValue(_data));
        using var model = _model.Open(parsed);
        var formats = parsed.GetValue(_formats) is { Length: > 0 } given ? given : TableQuality.Formats;
        var measured = new List<FormatQuality>();
        using (
            var line = new ProgressLine<FormatQuality>(quality =>
                $"{measured.Count} of {formats.Count} formats; {quality.Format}: {quality.Loss.Nats:F4} nats per token"
            )
        )
        {
            foreach (
                var quality in TableQuality.Measure(model, corpus, parsed.GetValue(_length), parsed.GetValue(_limit), formats, cancellation)
            )
            {
                measured.Add(quality);
                line.Report(quality);
            }
        }

        if (parsed.GetValue(_json))
        {
            Terminal.Json(
                measured.Select(quality => new
                {
                    Format = quality.Format.ToString(),
                    quality.RowBytes,
                    quality.TableBytes,
                    quality.Loss.Nats,
                    quality.Loss.BitsPerByte,
                    quality.Difference,
                    quality.Loss.Tokens,
                })
            );
            return;
        }

        var table = new Table()
            .AddColumn("format")
            .AddColumn(new TableColumn("bytes per row").RightAligned())
            .AddColumn(new TableColumn("bytes of all tables").RightAligned())
            .AddColumn(new TableColumn("nats per token").RightAligned())
            .AddColumn(new TableColumn("difference").RightAligned());
        foreach (var quality in measured)
            table.AddRow(
                $"{quality.Format}",
                $"{quality.RowBytes:N0}",
                $"{quality.TableBytes:N0}",
                $"{quality.Loss.Nats:F5}",
                $"{quality.Difference:+0.00000;-0.00000;0.00000}"
            );
        Terminal.Answer.Write(table);
    }
}
