namespace Engram.Evaluation.Scoring;

/// <summary>A request cannot be put to the model.</summary>
/// <param name="request">Its index in the list.</param>
/// <param name="reason">Why, in one sentence.</param>
/// <param name="inner">What was found.</param>
public sealed class UnscorableRequestException(int request, string reason, Exception inner) : Exception(reason, inner)
{
    /// <summary>Its index in the list.</summary>
    public int Request => request;
}
