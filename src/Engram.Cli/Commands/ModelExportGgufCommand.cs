using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Models.Gguf;
using Engram.Storage;

namespace Engram.Cli.Commands;

/// <summary>A model as llama.cpp reads it.</summary>
internal sealed class ModelExportGgufCommand : CliCommand
{
    private readonly Argument<string> _source = new("MODEL")
    {
        Description = "A model folder without memory and hyper-connections, in any weight format",
    };
    private readonly Option<string> _output = new("--output")
    {
        Description = "The file to write, which replaces one of that name",
        HelpName = "FILE",
        Required = true,
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public ModelExportGgufCommand()
        : base(
            "gguf",
            "Write a model as a GGUF file of llama.cpp's architecture deepseek2. It holds no tokenizer: ids come from, and go to, the "
                + "model's tokenizer.json.",
            "engram model export gguf run/model --output model.gguf"
        )
    {
        Add(_source);
        Add(_output);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.GetRequiredValue(_output);
        AtomicFile.RequireWritable(output);
        GgufExport.Export(parsed.GetRequiredValue(_source), output);
        var bytes = new FileInfo(output).Length;
        if (parsed.GetValue(_json))
            Terminal.Json(new { Output = output, Bytes = bytes });
        else
            Console.Out.WriteLine($"{output}: {bytes:N0} bytes.");
    }
}
