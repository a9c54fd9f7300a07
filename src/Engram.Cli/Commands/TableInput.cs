using System.CommandLine;

namespace Engram.Cli.Commands;

/// <summary>The argument of commands that read tables.</summary>
internal static class TableInput
{
    public static Argument<string> Path(string name = "PATH") =>
        new(name) { Description = "A safetensors file with a table, a model folder, or a folder with a DeepSeek-V4.1 checkpoint" };
}
