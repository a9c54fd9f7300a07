using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.PublishedCheckpoints;
using Engram.Tables.Formats;

namespace Engram.Cli.Commands;

/// <summary>Tables in another row format.</summary>
internal sealed class TableConvertCommand : CliCommand
{
    private readonly Argument<string> _source = new("SOURCE") { Description = "A safetensors file with a table, or a model folder" };
    private readonly Option<RowFormat> _format = new("--format")
    {
        Description =
            "float32, bfloat16, fp8, int8 or int4; the last three with the values per scale behind a slash if they are not the usual ones "
            + "(fp8/16, int8/64, int4/row)",
        HelpName = "FORMAT",
        Required = true,
        CustomParser = given =>
        {
            try
            {
                return RowFormat.Parse(given.Tokens[0].Value);
            }
            catch (FormatException e)
            {
                given.AddError($"--format {e.Message}");
                return null!;
            }
        },
    };
    private readonly Option<string> _output = new("--output")
    {
        Description = "The file to write, which replaces one of that name; for a model folder a new folder",
        HelpName = "TARGET",
        Required = true,
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public TableConvertCommand()
        : base(
            "convert",
            "Write tables in another row format. Rows pass through a few MiB of memory, whatever the tables' size; of a model folder the "
                + "other files are copied.",
            "engram table convert run/model --format fp8 --output model-fp8",
            "engram table convert layer-02.safetensors --format int4/row --output layer-02-int4.safetensors"
        )
    {
        Add(_source);
        Add(_format);
        Add(_output);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.GetRequiredValue(_output);
        using var source = TableInput.Open(parsed.GetRequiredValue(_source), cancellation);
        using (var line = TableProgressLine.Show("converting"))
            TableConversion.Convert(source, parsed.GetRequiredValue(_format), output, line, cancellation);
        using var written = TableSource.Open(output);
        var (before, after) = (Bytes(source), Bytes(written));
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    Output = output,
                    Format = written.Tables[0].Table.Format.ToString(),
                    Rows = written.Tables.Sum(table => table.Table.Rows),
                    SourceBytes = before,
                    Bytes = after,
                }
            );
        else
            Console.Out.WriteLine(
                $"{output}: {written.Tables.Sum(table => table.Table.Rows):N0} rows as {written.Tables[0].Table.Format}, {after:N0} bytes "
                    + $"instead of {before:N0}."
            );
    }

    private static long Bytes(TableSource source) => source.Tables.Sum(table => table.Table.Bytes);
}
