using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>Files that are too large or not ours to commit; a test that needs one is skipped where it is absent.</summary>
internal static class TestData
{
    private static readonly Lazy<Tokenizer?> DeepSeek = new(() =>
        Find("deepseek-v3/tokenizer.json") is { } path ? Tokenizer.Load(path, Tokenizer.DeepSeekV3Sha256) : null
    );

    /// <summary>The DeepSeek-V3 tokenizer, shared by all tests; it is immutable.</summary>
    public static Tokenizer DeepSeekV3()
    {
        if (DeepSeek.Value is null)
            Assert.Skip("deepseek-v3/tokenizer.json is absent: set ENGRAM_TEST_DATA to the folder that holds it.");
        return DeepSeek.Value;
    }

    /// <summary>Full path of a data file, or null.</summary>
    public static string? Find(string relativePath)
    {
        var roots = new[] { Environment.GetEnvironmentVariable("ENGRAM_TEST_DATA"), BesideRepository() };
        return roots.OfType<string>().Select(root => Path.Combine(root, relativePath)).FirstOrDefault(Path.Exists);
    }

    private static string? BesideRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Engram.slnx")))
                return Path.Combine(folder.FullName, "..", "shared", "data");
        return null;
    }
}
