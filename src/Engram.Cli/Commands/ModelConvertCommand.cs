using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Models.Folders;

namespace Engram.Cli.Commands;

/// <summary>Dense weights in fewer bits.</summary>
internal sealed class ModelConvertCommand : CliCommand
{
    private readonly Argument<string> _source = new("MODEL") { Description = "A model folder with float32 or bfloat16 weights" };
    private readonly Option<string> _output = new("--output")
    {
        Description = "The new model folder",
        HelpName = "FOLDER",
        Required = true,
    };
    private readonly Option<string> _format = new Option<string>("--format")
    {
        Description =
            "float32, bfloat16, int8 or int4 (32 values of a row share a scale). Vectors, routers and hyper-connections stay as they are; "
            + "with int4 the vocabulary's matrices are int8",
        HelpName = "FORMAT",
        Required = true,
    }.AcceptOnlyFromAmong([.. MatrixFormat.Names]);
    private readonly Option<bool> _json = CommonOptions.Json();

    public ModelConvertCommand()
        : base(
            "convert",
            "Write the dense weights of a model in another format. Tables are copied as they are; engram table convert changes those.",
            "engram model convert run/model --output model-int8 --format int8"
        )
    {
        Add(_source);
        Add(_output);
        Add(_format);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (output, format) = (parsed.GetRequiredValue(_output), parsed.GetRequiredValue(_format));
        var (before, after) = WeightConversion.Convert(parsed.GetRequiredValue(_source), format, output, cancellation);
        if (parsed.GetValue(_json))
            Terminal.Json(
                new
                {
                    Output = output,
                    Format = format,
                    SourceBytes = before,
                    Bytes = after,
                }
            );
        else
            Console.Out.WriteLine(
                $"{output}: dense weights as {format}, {after:N0} bytes instead of {before:N0}. engram eval loss measures what is lost."
            );
    }
}
