namespace Engram.Corpora;

/// <summary>How many documents were left out as duplicates, by the first of four tests that they failed.</summary>
/// <param name="Read">Documents before.</param>
/// <param name="Exact">Left out: the same text, title apart, as another document.</param>
/// <param name="Normalised">
/// Left out: the same letters as another document, regardless of case, digits, punctuation and white space.
/// </param>
/// <param name="Near">
/// Left out: an estimated Jaccard similarity of at least <see cref="NearDuplicates.Threshold"/> with another document.
/// </param>
/// <param name="NearValidation">
/// Left out of training: a Jaccard similarity of at least <see cref="Decontamination.Threshold"/> with a validation document.
/// </param>
/// <param name="ValidationGivenUp">Left out of validation, because too many for training are like them.</param>
public sealed record DeduplicationStatistics(int Read, int Exact, int Normalised, int Near, int NearValidation, int ValidationGivenUp = 0)
{
    /// <summary>Documents that remain.</summary>
    public int Kept => Read - Exact - Normalised - Near - NearValidation - ValidationGivenUp;
}
