using System.CommandLine;
using Engram.Cli;
using Engram.Cli.CommandLine;
using Engram.Torch.Tests.Architecture;

namespace Engram.Torch.Tests.Cli;

public sealed class HelpTests
{
    /// <summary>
    /// The commands and options that users and scripts rely on. A change of this list is a change of what the program promises.
    /// </summary>
    [Fact]
    public void Options_AreTheRecordedOnes()
    {
        var file = Path.Combine(Repository.Root, "tests", "Engram.Torch.Tests", "Cli", "options.txt");
        var now = string.Concat(Commands().Select(command => Describe(command.Path, command.Command)));
        if (Environment.GetEnvironmentVariable("ENGRAM_WRITE_GOLDEN") == "1")
            File.WriteAllText(file, now);
        Assert.Equal(File.ReadAllText(file), now);
    }

    [Fact]
    public void EveryCommand_HasAnExample_ThatParses()
    {
        foreach (var (path, command) in Commands().Where(command => command.Command.Subcommands.Count == 0))
        {
            var examples = Assert.IsAssignableFrom<CliCommand>(command).Examples;
            Assert.NotEmpty(examples);
            Assert.All(
                examples,
                example =>
                {
                    Assert.StartsWith(path + " ", example + " ");
                    var parsed = CommandTree.Create().Parse(example["engram".Length..].Split('<', '>')[0]);
                    Assert.True(parsed.Errors.Count == 0, $"{example}: {string.Join(", ", parsed.Errors)}");
                }
            );
        }
    }

    /// <summary>The models of <c>engram eval</c> are no argument of the measurements below it.</summary>
    [Fact]
    public async Task Help_OfASubcommand_ShowsItsOwnArguments()
    {
        var help = (await CliProcess.Run("eval", "loss", "--help")).Ok().Output;
        Assert.Contains("engram eval loss [options]", help);
        Assert.DoesNotContain("<MODEL>", help);
        Assert.Contains("<MODEL>...", (await CliProcess.Run("eval", "--help")).Ok().Output);
    }

    [Fact]
    public void EveryCommandAndOption_IsDescribed() =>
        Assert.All(
            Commands(),
            command =>
            {
                Assert.False(string.IsNullOrWhiteSpace(command.Command.Description), command.Path);
                Assert.All(
                    command.Command.Options,
                    option => Assert.False(string.IsNullOrWhiteSpace(option.Description), $"{command.Path} {option.Name}")
                );
                Assert.All(
                    command.Command.Arguments,
                    argument => Assert.False(string.IsNullOrWhiteSpace(argument.Description), $"{command.Path} {argument.Name}")
                );
            }
        );

    [Fact]
    public async Task Help_OfACommand_EndsWithItsExamples()
    {
        var help = (await CliProcess.Run("tokenizer", "encode", "--help")).Ok();
        Assert.Contains("engram tokenizer encode [<TEXT>] [options]", help.Output);
        Assert.Contains("Examples:\n  engram tokenizer encode --tokenizer tokenizer.json", help.Output);
        Assert.Empty(help.Errors);
    }

    [Theory]
    [InlineData("engram [command] [options]")]
    [InlineData("engram tokenizer [command] [options]", "tokenizer")]
    public async Task NoCommand_ShowsTheCommands(string usage, params string[] arguments) =>
        Assert.Contains(usage, (await CliProcess.Run(arguments)).Ok().Output);

    [Fact]
    public async Task Version_IsThatOfTheBuild() =>
        Assert.StartsWith(typeof(CliCommand).Assembly.GetName().Version!.ToString(3), (await CliProcess.Run("--version")).Ok().Output);

    private static IEnumerable<(string Path, Command Command)> Commands()
    {
        return Walk("engram", CommandTree.Create());

        static IEnumerable<(string, Command)> Walk(string path, Command command) =>
            [(path, command), .. command.Subcommands.SelectMany(child => Walk($"{path} {child.Name}", child))];
    }

    private static string Describe(string path, Command command)
    {
        var words = command
            .Arguments.Select(argument => argument.Arity.MinimumNumberOfValues > 0 ? $"<{argument.Name}>" : $"[{argument.Name}]")
            .Concat(
                command
                    .Options.Where(option => option.Name is not "--help" and not "--version")
                    .Select(option => option.Required ? option.Name + " (required)" : option.Name)
            );
        return $"{path}\n{string.Concat(words.Select(word => $"  {word}\n"))}";
    }
}
