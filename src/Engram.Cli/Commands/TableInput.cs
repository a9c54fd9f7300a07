using System.CommandLine;
using Engram.PublishedCheckpoints;
using Engram.Corpora.Files;

namespace Engram.Cli.Commands;

/// <summary>The argument of commands that read tables.</summary>
internal static class TableInput
{
    public static Argument<string> Path(string name = "PATH") =>
        new(name) { Description = "A safetensors file with a table, a model folder, or a folder with a DeepSeek-V4.1 checkpoint" };

    /// <summary>Opens what the argument names.</summary>
    public static TableSource Open(string path, CancellationToken cancellation)
    {
        InputFile.RequireNoPipe(path, cancellation);
        return TableSource.Open(path);
    }
}
