namespace Engram.Evaluation.Scoring;

/// <summary>What is said of a model whose logits are no numbers.</summary>
internal static class NotFinite
{
    /// <summary>The error.</summary>
    /// <param name="logit">One of them.</param>
    public static InvalidDataException Error(float logit) =>
        new($"The logits hold {logit}: weights or tables of the model are not finite. engram table verify finds those of tables.");
}
