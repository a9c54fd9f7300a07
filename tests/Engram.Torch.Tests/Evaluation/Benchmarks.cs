using Engram.Tests.Tokenization;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>Rows of published benchmarks, which are not ours to commit; a test that needs them is skipped where they are absent.</summary>
internal static class Benchmarks
{
    public static string Root()
    {
        if (TestData.Find("benchmarks") is not { } root)
        {
            Assert.Skip("The folder benchmarks is absent: set ENGRAM_TEST_DATA to the folder that holds it.");
            return "";
        }
        return root;
    }

    public static string Path(string file) => System.IO.Path.Combine(Root(), file);
}
