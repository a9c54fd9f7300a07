using System.Globalization;
using Engram.Models.Sampling;
using Engram.Studies.Measures;
using Engram.Torch.Generation;

namespace Engram.Studies.Exhibits;

/// <summary>What a model writes behind the beginning of a validation document, with the same draws for every model.</summary>
internal static class SampleText
{
    private const int PromptTokens = 16;

    private static readonly SamplingOptions Sampling = new()
    {
        Temperature = 0.8,
        TopP = 0.95,
        Seed = 1,
        MaxNewTokens = 80,
    };

    /// <summary>The text behind the beginning, which is grey.</summary>
    public static string Html(MeasuredRun run, CancellationToken cancellation)
    {
        var prompt = ValidationText.Opening(run.Corpus, PromptTokens);
        var text = string.Concat(new TextGenerator(run.Model).Stream(prompt, Sampling, run.Model.Memory, cancellation: cancellation));
        cancellation.ThrowIfCancellationRequested();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"<pre><span class=\"prompt\">{Pages.Html.Escape(prompt)}</span>{Pages.Html.Escape(text)}</pre>\n<p class=\"note\">Temperature {Sampling.Temperature}, top-p {Sampling.TopP}.</p>\n"
        );
    }
}
