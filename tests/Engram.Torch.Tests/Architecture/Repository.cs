namespace Engram.Torch.Tests.Architecture;

/// <summary>The checkout that the tests run from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    private static string Find(string folder) =>
        File.Exists(Path.Combine(folder, "Engram.slnx"))
            ? folder
            : Find(
                Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException($"No Engram.slnx above {AppContext.BaseDirectory}.")
            );
}
