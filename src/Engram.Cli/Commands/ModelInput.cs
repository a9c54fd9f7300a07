using System.CommandLine;
using Engram.Models;

namespace Engram.Cli.Commands;

/// <summary>What the commands that run a model share.</summary>
internal sealed class ModelInput
{
    public Option<string> Folder { get; } = new("--model") { Description = "The model folder, for example run/model", HelpName = "FOLDER", Required = true };

    public Option<string> Device { get; } = CommonOptions.Device();

    public Option<int?> Threads { get; } = CommonOptions.Threads();

    public LanguageModel Open(ParseResult parsed)
    {
        var folder = parsed.GetRequiredValue(Folder);
        // Loading libtorch takes longer than telling that the folder is not there.
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no model folder '{folder}'; engram train writes one to RUN/model.");
        return LanguageModel.Load(folder, CommonOptions.OpenDevice(parsed, Device, Threads));
    }
}
