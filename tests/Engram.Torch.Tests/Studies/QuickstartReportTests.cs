using System.Globalization;
using System.Text.RegularExpressions;
using Engram.Studies.Quickstart;
using Engram.Studies.Runs;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Studies;

public sealed partial class QuickstartReportTests
{
    private const string Gates = "<p id=\"gates\">shaded tokens</p>";

    [Fact]
    public void Report_IsOneFileThatFetchesNothing()
    {
        var html = Write(QuickstartExample.OneSeed);

        Assert.StartsWith("<!DOCTYPE html>", html);
        Assert.Empty(Reference().Matches(html).Select(match => match.Value));
        // The only addresses are the names of XML vocabularies.
        Assert.All(Address().Matches(html), match => Assert.StartsWith("http://www.w3.org/", match.Value));
    }

    [Fact]
    public void Report_ShowsNumbersCurvesGatesSamplesAndSettings()
    {
        var html = Write(QuickstartExample.OneSeed);

        foreach (
            var expected in new[]
            {
                "500,000",
                "120,000",
                "2.750",
                "1.375",
                "4.250",
                "4.500",
                Gates,
                "text of moe-few",
                "table_learning_rate_multiplier",
                "--seeds 1,2,3",
                "60,000 documents",
                ".NET 10",
            }
        )
            Assert.Contains(expected, html);
        Assert.Equal(2, html.Split("<svg").Length - 1);
        Assert.DoesNotContain("paired by seed</h2>", html);
    }

    [Fact]
    public void Report_EscapesWhatModelsAndCorpusSay()
    {
        var html = Write(QuickstartExample.OneSeed);

        Assert.Contains("System.Collections &lt;T&gt; &amp;", html);
        Assert.DoesNotContain("<T>", html);
    }

    [Fact]
    public void Report_OfSeveralSeeds_ShowsSpreadAndDifferences()
    {
        var html = Write(
            QuickstartExample.Results(
                QuickstartExample.Seed(1, 3.5, 3, 3.25, 2.75, 3),
                QuickstartExample.Seed(2, 3.5, 3.25, 3.5, 2.75, 3),
                QuickstartExample.Seed(3, 3.5, 3.5, 3.75, 2.75, 3)
            )
        );

        Assert.Contains("3.250 ± 0.250 (3.000 to 3.500)", html);
        Assert.Contains("<td>engram − moe</td><td>−0.250</td><td>−0.500</td><td>−0.750</td><td>−0.500</td>", html);
        Assert.Equal(3, html.Split("<svg").Length - 1);
    }

    private static string Write(QuickstartResults results)
    {
        using var temporary = new TemporaryFolder();
        var folder = new QuickstartFolder(temporary.File("quickstart"));
        foreach (var arm in QuickstartStudy.Default.Arms)
            WriteCurve(folder.Run(results.Seeds[0].Seed, arm));
        new QuickstartReport(QuickstartStudy.Default, folder, results, QuickstartFindings.Of(results)).Write(Gates);
        return File.ReadAllText(folder.Report);
    }

    private static void WriteCurve(string run)
    {
        Directory.CreateDirectory(run);
        var lines = Enumerable
            .Range(1, 120)
            .Select(step =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{{\"step\":{step},\"tokens\":{step * 1024},\"loss\":{3 + (5.0 / step)},\"learning_rate\":0.01,\"gradient_norm\":1,\"tokens_per_second\":9000}}\n"
                )
            )
            .Append("{\"step\":60,\"validation_loss\":3.5,\"bits_per_byte\":1.2}\n")
            .Append("{\"step\":120,\"validation_loss\":3.25,\"bits_per_byte\":1.1}\n");
        File.WriteAllText(Path.Combine(run, TrainingCurve.FileName), string.Concat(lines));
    }

    // What an element or a style could fetch; url(#…) points to a clip path of the same drawing.
    [GeneratedRegex("""\b(src|href)\s*=[^>]{0,40}|url\((?!#)[^>]{0,40}|@import|<(script|link|iframe|img)\b""")]
    private static partial Regex Reference();

    [GeneratedRegex("""https?://[^"<\s]*""")]
    private static partial Regex Address();
}
