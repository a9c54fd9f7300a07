namespace Engram.Cli.CommandLine;

/// <summary>The command line asks for what cannot be done: exit code 2.</summary>
/// <param name="message">Names option and value, and the remedy.</param>
/// <param name="inner">What refused them; null for none.</param>
internal sealed class UsageException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Takes what a library refuses of values from the command line for wrong usage.</summary>
    /// <param name="judge">Hands the values over, and does nothing else.</param>
    /// <exception cref="UsageException">They were refused.</exception>
    public static T Of<T>(Func<T> judge)
    {
        try
        {
            return judge();
        }
        catch (ArgumentException error)
        {
            throw new UsageException(Failure.Plain(error), error);
        }
    }
}
