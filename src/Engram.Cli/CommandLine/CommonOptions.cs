using System.CommandLine;
using Engram.Torch.Native;
using TorchSharp;

namespace Engram.Cli.CommandLine;

/// <summary>Options that mean the same wherever they stand.</summary>
internal static class CommonOptions
{
    /// <summary>Valid for every command.</summary>
    public static readonly Option<bool> Debug = new("--debug") { Description = "Show the stack trace of an error", Recursive = true };

    /// <summary>More threads than any machine of these models has use for; a hundred thousand would never be started.</summary>
    private static readonly int MostThreads = Math.Max(64, 4 * Environment.ProcessorCount);

    /// <summary>Machine output alone on stdout.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Write one JSON object to stdout, and nothing else there" };

    public static Option<string> Device() =>
        new("--device")
        {
            Description = "Where tensors live: cpu, cuda or cuda:N",
            HelpName = "DEVICE",
            DefaultValueFactory = _ => "cpu",
        };

    /// <summary>How many threads libtorch takes for one operation.</summary>
    /// <param name="otherwise">Where the number comes from if it is not given.</param>
    public static Option<int?> Threads(string otherwise = "one per core")
    {
        var threads = new Option<int?>("--threads")
        {
            Description =
                $"Threads of one tensor operation; results may differ in the last bits with another number [default: {otherwise}]",
            HelpName = "N",
        };
        AtLeastOne(threads);
        threads.Validators.Add(given =>
        {
            if (int.TryParse(given.Tokens.FirstOrDefault()?.Value, out var number) && number > MostThreads)
                given.AddError(
                    $"--threads must be at most {MostThreads} here: this machine has {Environment.ProcessorCount} cores, and more threads "
                        + "than that only wait for each other."
                );
        });
        return threads;
    }

    /// <summary>Refuses numbers below one. What is no number has been refused before, and has no value to ask for.</summary>
    public static void AtLeastOne(Option option) =>
        option.Validators.Add(given =>
        {
            if (int.TryParse(given.Tokens.FirstOrDefault()?.Value, out var number) && number < 1)
                given.AddError($"{option.Name} must be at least 1.");
        });

    /// <summary>Refuses numbers below zero.</summary>
    public static void NotNegative(Option option) =>
        option.Validators.Add(given =>
        {
            if (int.TryParse(given.Tokens.FirstOrDefault()?.Value, out var number) && number < 0)
                given.AddError($"{option.Name} must not be negative.");
        });

    /// <summary>Takes these names alone.</summary>
    public static Option<T> OneOf<T>(this Option<T> option, params string[] names)
    {
        option.CompletionSources.Add(names);
        option.Validators.Add(given =>
        {
            foreach (var other in given.Tokens.Select(token => token.Value).Where(value => !names.Contains(value)))
                given.AddError($"{option.Name} is one of {string.Join(", ", names)}, not '{other}'.");
        });
        return option;
    }

    /// <summary>Sets the number of threads and opens the device. Loads libtorch: call it after everything that can fail without.</summary>
    public static torch.Device OpenDevice(ParseResult parsed, Option<string> device, Option<int?> threads)
    {
        var opened = Devices.Parse(parsed.GetRequiredValue(device));
        if (parsed.GetValue(threads) is { } count)
            ThreadSettings.IntraOperation = count;
        return opened;
    }
}
